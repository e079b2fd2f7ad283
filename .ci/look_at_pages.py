"""Look at every page of the built documentation in a browser, at two widths.

    python .ci/look_at_pages.py docs/_build/html

Needs selenium, Chromium and its driver (Debian's chromium-driver). Fails where an element is cut
off, a link or a picture leads nowhere, text has too little contrast in either theme, or a search
does not find its page first.
"""

import shutil
import sys
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.support.ui import WebDriverWait

WIDTHS = (390, 1400)
# What people type, and pages of which one must be among the first three.
SEARCHES = {
    "cite": ("getting_started", "about"),
    "license": ("about",),
    "irregular sampling": ("guide/missing", "guide/petnn", "guide/hssm", "choosing"),
    "early stopping": ("guide/training",),
    "missing values": ("guide/missing", "guide/dynpmnn"),
    "save": ("api/generated/sklearn_physrnn.save", "getting_started"),
}
# Elements that reach beyond the page and are in nothing that scrolls.
CUT = """
const width = document.documentElement.clientWidth, cut = [];
const scrolls = e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
for (const e of document.querySelectorAll('body *')) {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  if (!box.width || !box.height || box.left >= width && style.position == 'absolute') continue;
  if (box.right <= width + 1 || style.visibility == 'hidden') continue;
  let inside = false;
  for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
    inside ||= scrolls(p) && p.getBoundingClientRect().right <= width + 1
      || getComputedStyle(p).position == 'fixed';
  if (!inside) cut.push(e.tagName + ': ' + e.textContent.trim().slice(0, 50));
}
return cut.slice(0, 3);
"""
PICTURES = """
return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src);
"""
CONTRAST = """
const parse = c => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = c => { const [r, g, b] = c.slice(0, 3).map(v => {
  v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const weak = new Map();
for (const e of document.querySelectorAll('article *')) {
  const own = [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
  const style = getComputedStyle(e);
  if (!own || style.visibility == 'hidden' || !e.getClientRects().length) continue;
  let back = null;
  for (let p = e; p && !back; p = p.parentElement) {
    const c = parse(getComputedStyle(p).backgroundColor);
    if (c.length < 4 || c[3] > 0.5) back = c;
  }
  const a = light(parse(style.color)), b = light(back || [255, 255, 255]);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) weak.set(style.color + ' on ' + (back || ['white']),
                            ratio.toFixed(2) + ': ' + e.textContent.trim().slice(0, 30));
}
return [...weak].map(w => w.join(' ')).slice(0, 4);
"""


def browser():
    """Start Chromium without a window."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def open_at(driver, page: Path, width: int) -> None:
    """Open a page on a screen of this width."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())


def dead_links(driver, page: Path) -> list[str]:
    """Links of the open page to files or places that are not there."""
    script = "return [...document.querySelectorAll('article a[href]')].map(a => a.href)"
    dead = []
    for link in set(driver.execute_script(script)):
        address, place = urldefrag(link)
        if not address.startswith("file:"):
            continue
        target = Path(unquote(address.removeprefix("file://")))
        if not target.exists():
            dead.append(link)
        elif place and target.suffix == ".html":
            text = target.read_text(encoding="utf-8")
            if f'id="{unquote(place)}"' not in text:
                dead.append(link)
    return dead


def found(driver, root: Path, words: str) -> list[str]:
    """Pages that a search lists first."""
    driver.get(f"{(root / 'search.html').as_uri()}?q={quote(words)}")
    rows = "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)"
    try:
        WebDriverWait(driver, 10).until(lambda d: d.execute_script(rows))
    except TimeoutException:
        return []
    links = dict.fromkeys(urldefrag(link)[0] for link in driver.execute_script(rows))
    prefix = root.as_uri() + "/"
    return [link.removeprefix(prefix).removesuffix(".html") for link in links]


def main(root: Path) -> int:
    """Look at all pages, print what is wrong and count it."""
    if not shutil.which("chromedriver"):
        print("Skipped: no chromedriver here (Debian: apt install chromium-driver).")
        return 0
    pages = [p for p in sorted(root.rglob("*.html")) if "_modules" not in p.parts]
    wrong = 0

    def report(where: str, what: list[str]) -> None:
        nonlocal wrong
        wrong += len(what)
        for line in what:
            print(f"{where}: {line}")

    driver = browser()
    try:
        for page in pages:
            name = str(page.relative_to(root))
            for width in WIDTHS:
                open_at(driver, page, width)
                report(f"{name}, cut at {width}", driver.execute_script(CUT))
            report(f"{name}, picture", driver.execute_script(PICTURES))
            report(f"{name}, link", dead_links(driver, page))
            for theme in ("light", "dark"):
                driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
                report(f"{name}, contrast, {theme}", driver.execute_script(CONTRAST))
        for words, expected in SEARCHES.items():
            first = found(driver, root, words)[:3]
            if not set(first) & set(expected):
                report(f"search for {words!r}", [f"found {first}, not {expected}"])
    finally:
        driver.quit()
    print(f"{len(pages)} pages, {wrong} faults")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]).resolve())))
