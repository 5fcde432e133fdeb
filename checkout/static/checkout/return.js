// Where a provider sends the customer back to: inside our frame the parent page goes on, alone this page does.

const next = document.getElementById("continue").href;
if (window.parent !== window) window.parent.postMessage("checkout:returned", location.origin);
else location.replace(next);
