"""Forms and views without a mouse, without good eyes: keys alone, names on all controls, contrast in both themes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cells import add, cell, opened, run
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import Lab, Watched
    from playwright.sync_api import Page

NOTEBOOK = "01_first_study.ipynb"
SHOWN = (
    "import toolkit as tk; form = tk.StudyForm(); form",
    "tk.RoleForm('service-desk')",
    "tk.MemoryForm(tk.Layered())",
    "tk.GoalForm()",
    "study = tk.Study('seen', tk.Desk(tasks=8, queues=4), arms=[tk.Arm.static(), tk.Arm('m', memory=tk.Retrieval())], "
    "lm='scripted', seeds=2, tracking='off'); _ = study.run(); study.live()",
    "tk.CompareView(study)",
    "tk.CompareView(study).place(7).answer('m')",
    "tk.MemoryInspector(study)",
    "tk.AnnotationQueue(study, 2, rater='ann', choices='right/wrong')",
    "import os; study.agent('m', name=f'm-{os.getpid()}').chat(against='static')",  # one kernel at a time has an agent
)
NAMELESS = """() => [...document.querySelectorAll('.jp-OutputArea-output')].flatMap(one =>
  [...one.querySelectorAll('input, select, textarea, button')].filter(node => node.offsetParent !== null &&
    ![node.getAttribute('aria-label'), ...[...(node.labels ?? [])].map(label => label.textContent),
      node.tagName === 'BUTTON' ? node.textContent : ''].some(name => name && name.trim())
  ).map(node => node.outerHTML.slice(0, 200)))"""

# WCAG 2.2, 1.4.3: 4.5 to 1, for large text 3 to 1; what is switched off is exempt.
PALE = """() => {
  const parsed = colour => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return /color\\(srgb/.test(colour) ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
  const part = value => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = node => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const faded = node => {
    let all = 1;
    for (let at = node; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  };
  const found = new Set();
  for (const output of document.querySelectorAll('.jp-OutputArea-output')) {
    const walker = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode.parentElement;
      if (!walker.currentNode.textContent.trim() || !node.getClientRects().length) continue;
      if (node.closest('style, script, option, :disabled, .visually-hidden')) continue;
      const style = getComputedStyle(node);
      if (style.visibility === 'hidden') continue;
      const below = ground(node);
      const colour = parsed(node.closest('svg') ? style.fill : style.color);
      colour[3] *= faded(node);
      const [one, two] = [light(over(colour, below)), light(below)];
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5))
        found.add([ratio.toFixed(2), node.outerHTML.slice(0, 160)].join(' '));
    }
  }
  return [...found];
}"""
NAME = """() => {
  const node = document.activeElement;
  const label = [...(node.labels ?? [])].map(one => one.textContent).join(' ');
  return (label || node.getAttribute('aria-label') || node.textContent || '').trim();
}"""


def shown(page: Page) -> None:
    """All forms and views, every fold open."""
    below = 0
    for code in SHOWN:
        below = add(page, below, code)
        run(page, below)
        expect(cell(page, below)).not_to_contain_text("Traceback (most recent call last)")
    page.evaluate("document.querySelectorAll('.toolkit-fold[aria-expanded=false]').forEach(fold => fold.click())")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_every_control_has_a_name_and_every_text_contrast(lab: Lab, watched: Watched, theme: str) -> None:
    page = watched.page
    opened(page, lab.address(NOTEBOOK))
    expect(cell(page, 0)).to_be_visible()
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    entries = page.locator(".lm-Menu-itemLabel")
    entries.filter(has_text=re.compile("^Theme$")).hover()
    entries.filter(has_text=re.compile(f"^{theme}$")).click()
    expect(page.locator(f"body[data-jp-theme-name='{theme}']")).to_have_count(1)
    shown(page)
    for place in range(1, len(SHOWN) + 1):
        cell(page, place).locator(".jp-OutputArea-output").last.scroll_into_view_if_needed()
        watched.shoot(f"access-{theme.split()[-1].lower()}-{place}")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(PALE) == []


def reached(page: Page, name: str) -> None:
    """Press Tab until the control of that name has the focus."""
    seen = []
    for _ in range(250):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(NAME))
        if re.fullmatch(name, seen[-1]):
            return
    pytest.fail(f"Tab never comes to {name!r}, but to {list(dict.fromkeys(seen))}")


def test_a_study_is_filled_in_and_started_by_keys_alone(lab: Lab, watched: Watched) -> None:
    page = watched.page
    opened(page, lab.address(NOTEBOOK))
    place = add(page, 0, "import toolkit as tk; form = tk.StudyForm(); form")
    run(page, place)
    expect(cell(page, place).get_by_role("button", name="Run study")).to_be_visible()
    page.keyboard.press("Escape")
    reached(page, "name")
    page.keyboard.press("Control+a")
    page.keyboard.type("by-keys")
    reached(page, "lm")
    page.keyboard.type("Scripted")
    reached(page, "seeds")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    reached(page, ".*memory · memory: Retrieval")
    page.keyboard.press("Enter")
    reached(page, "k")
    page.keyboard.press("Control+a")
    page.keyboard.type("5")
    reached(page, ".*hypotheses: none")
    page.keyboard.press("Space")
    reached(page, "Add hypothesis")
    page.keyboard.press("Enter")
    reached(page, "arm")
    page.keyboard.type("memory")
    watched.shoot("access-keys")
    expect(cell(page, place).get_by_role("button", name="Run study")).to_be_enabled()
    reached(page, "Run study")
    page.keyboard.press("Enter")
    expect(page.locator(".toolkit-live .state")).to_have_text("finished")
    told = "print(form.study.name, form.study.lm, form.study.arms[1].memory.k, form.study.hypotheses[0].arm)"
    below = add(page, place, told)
    run(page, below)
    expect(cell(page, below)).to_contain_text("by-keys Scripted(p=0.3) 5 memory")
