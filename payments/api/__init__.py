"""What every HTTP interface that moves money shares: who calls, and that asking twice moves once."""
