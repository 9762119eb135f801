// The page is whole without this: it takes the reader's language, opens what a link leads to, and opens all scenarios.
"use strict";

const chinese = document.getElementById("chinese");
const say = () => { document.documentElement.lang = chinese.checked ? "zh" : "en"; };
// A browser that restores the choice of an earlier visit has done so by now.
if (!chinese.checked && /^zh\b/i.test(navigator.language)) chinese.checked = true;
addEventListener("change", say);
say();

function follow() {
  let id = location.hash.slice(1);
  try { id = decodeURIComponent(id); } catch { return; }
  const target = document.getElementById(id);
  for (let node = target; node; node = node.parentElement) {
    if (node instanceof HTMLDetailsElement) node.open = true;
  }
  if (target) target.scrollIntoView();
}

const scenarios = document.querySelectorAll("details.scenario");
const unfold = document.getElementById("unfold");

if (unfold && scenarios.length) {
  const [open, close] = unfold.children;
  unfold.hidden = false;
  unfold.addEventListener("click", () => {
    const all = ![...scenarios].every((scenario) => scenario.open);
    for (const scenario of scenarios) scenario.open = all;
    open.hidden = all;
    close.hidden = !all;
  });
}

addEventListener("hashchange", follow);
// Paper cannot be unfolded: it gets the steps of every scenario; evidence stays in its files.
addEventListener("beforeprint", () => {
  for (const scenario of scenarios) scenario.open = true;
});
follow();
