from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_quicker_posting")]

    operations = [
        migrations.AlterModelOptions(name="fxrate", options={"verbose_name": "exchange rate"}),
    ]
