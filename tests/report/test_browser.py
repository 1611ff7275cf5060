"""The report in Chromium at the widths of a phone, a laptop and a large screen.

Skipped, with the command that installs it, where there is no browser.
"""

import pytest

from tests import browsers
from tests.report import report_records
from z2i_tf.report import pages
from z2i_tf.report import runs as run_files
from z2i_tf.report import sections

pytestmark = browsers.needed
_WIDTHS = (390, 1280, 1920)
# On a phone, wide pictures keep this width and scroll: 34rem.
_LEAST_PICTURE_PX = 544


@pytest.fixture(name="page", scope="module")
def _page(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs")
  report_records.write_all(folder)
  report_records.write_picture(str(folder / "failures" / "failures.png"), size=(900, 1600))
  found, left_out = run_files.gather(str(folder))
  path = folder / "report.html"
  path.write_text(pages.render_html(sections.build(found, left_out)), encoding="utf-8")
  with browsers.chromium(tmp_path_factory.mktemp("profile")) as browser:
    browser.get(path.as_uri())
    yield browser


def _set_width(browser, width):
  metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
  browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _box(browser, selector):
  script = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return box.toJSON()"
  return browser.execute_script(script, selector)


@pytest.mark.parametrize("width", _WIDTHS)
def test_nothing_reaches_beyond_the_window_and_contents_cover_no_text(page, width):
  _set_width(page, width)
  assert page.execute_script("return document.documentElement.scrollWidth") <= width
  contents = _box(page, "nav")
  for selector in ("header", "main"):
    box = _box(page, selector)
    apart = contents["bottom"] <= box["top"] or box["bottom"] <= contents["top"] or contents["right"] <= box["left"]
    assert apart and box["width"] > 0.6 * width, selector


@pytest.mark.parametrize("width", _WIDTHS)
def test_a_wide_picture_fits_or_scrolls_and_a_click_shows_its_full_size(page, width):
  _set_width(page, width)
  selector = "#failures ~ figure img"
  frame = _box(page, "#failures ~ figure .scroll")["width"]
  assert _box(page, selector)["width"] == pytest.approx(max(frame, _LEAST_PICTURE_PX), abs=1) and frame < 1600
  page.execute_script("document.querySelector(arguments[0]).click()", selector)
  assert _box(page, selector)["width"] >= 1600
  page.execute_script("document.querySelector(arguments[0]).click()", selector)
  assert page.execute_script("return document.documentElement.scrollWidth") <= width


def test_a_mark_opens_the_folded_sources(page):
  _set_width(page, 1280)
  anchor = page.execute_script("return document.querySelector('td.marks a').getAttribute('href').slice(1)")
  script = "return document.getElementById(arguments[0]).closest('details').open"
  assert page.execute_script(script, anchor) is False
  page.execute_script("document.querySelector('td.marks a').click()")
  assert page.execute_script(script, anchor) is True
