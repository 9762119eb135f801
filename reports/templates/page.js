// The page is whole without this: it opens what a link leads to, and opens all scenarios at once.
"use strict";

function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let node = target; node; node = node.parentElement) {
    if (node instanceof HTMLDetailsElement) node.open = true;
  }
  if (target) target.scrollIntoView();
}

const scenarios = document.querySelectorAll("details.scenario");
const unfold = document.getElementById("unfold");

unfold.hidden = scenarios.length === 0;
unfold.addEventListener("click", () => {
  const open = ![...scenarios].every((scenario) => scenario.open);
  for (const scenario of scenarios) scenario.open = open;
  unfold.textContent = open ? "Close all" : "Open all";
});

addEventListener("hashchange", follow);
// Paper cannot be unfolded: it gets the steps of every scenario; evidence stays in its files.
addEventListener("beforeprint", () => {
  for (const scenario of scenarios) scenario.open = true;
});
follow();
