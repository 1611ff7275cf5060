"""A whole study in a real browser: Chromium without a window, driven by Selenium.

Skipped, with the command that installs it, where there is no browser.
"""

import io
import os

import numpy as np
from PIL import Image
import pytest
from selenium.webdriver.common.keys import Keys

from tests import browsers
from tests.study import stand_ins
from z2i_tf.study import manifest as manifests
from z2i_tf.study import summary

pytestmark = browsers.needed
_PAIRS = 6
_SIZE = (96, 128)  # Height and width of the pictures.


@pytest.fixture(name="browser", scope="module")
def _browser(tmp_path_factory):
  with browsers.chromium(tmp_path_factory.mktemp("profile")) as browser:
    yield browser


class _Page(browsers.Page):
  """What a participant sees and does; `chosen` collects what was chosen as seen, by its colour."""

  def __init__(self, browser):
    super().__init__(browser)
    self.chosen = []

  def press(self, *keys):
    for key in keys:
      self.browser.switch_to.active_element.send_keys(key)

  def join(self, name):
    self.wait_for(self.find("name").is_displayed)
    self.find("name").send_keys(name + Keys.ENTER)

  def wait_for_pair(self, number, total=_PAIRS):
    self.wait_for_text("counter", f"{number} of {total}")
    self.wait_for(self.find("stage").is_displayed)

  def seen(self):
    """Returns whose result is on the screen, and the pair it belongs to, from its colour."""
    pixels = np.asarray(Image.open(io.BytesIO(self.find("stage").screenshot_as_png)).convert("RGB"))
    return stand_ins.read_colour(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2])

  def look_and_choose(self, side, choose):
    """Looks at A, then B; chooses a side with `choose`. Returns what was A and what was B."""
    results = {"a": self.seen()}
    assert not self.find("choose-a").is_enabled() and not self.find("choose-b").is_enabled()
    self.press(Keys.SPACE)
    results["b"] = self.seen()
    (first, *of), (second, *of_b) = results["a"], results["b"]
    assert of == of_b and stand_ins.OURS in (first, second) and first != second
    self.chosen.append(results[side])
    choose()
    return results["a"], results["b"]


def _expected_counts(chosen, shown):
  """Returns kind -> opponent -> Count of what was chosen, as seen; `shown`: what was A and B."""
  counts = {kind: {opponent: summary.Count() for opponent in stand_ins.OPPONENTS} for kind in stand_ins.KINDS}
  for choice, (first, second) in zip(chosen, shown):
    (opponent,) = {first[0], second[0]} - {stand_ins.OURS}
    ours = choice[0] == stand_ins.OURS
    counts[choice[1]][opponent] += summary.Count(int(ours), int(not ours))
  return counts


def test_a_whole_study(tmp_path, browser):
  study_dir = stand_ins.make_study(tmp_path, pairs=_PAIRS, size=_SIZE)
  page = _Page(browser)
  shown = []
  page.complaints()  # Of tests before.
  with stand_ins.serving(study_dir) as server:
    port = server.port
    browser.get(server.url)
    page.join("anna")
    page.wait_for_pair(1)
    assert page.find("question").text == "Which is nicer?"
    # Every way to look: the image, the buttons, the keys.
    first = page.seen()
    page.press("b")  # B was not seen yet: nothing is chosen.
    page.wait_for_text("status", "look at both")
    page.find("stage").click()
    second = page.seen()
    assert first != second and page.find("show-b").get_attribute("aria-pressed") == "true"
    for look, expected in (
      (lambda: page.find("show-a").click(), first),
      (lambda: page.press(Keys.ARROW_RIGHT), second),
      (lambda: page.press(Keys.ARROW_LEFT), first),
      (lambda: page.find("show-b").click(), second),
      (lambda: page.find("stage").click(), first),
    ):
      look()
      assert page.seen() == expected
    page.find("choose-b").click()
    page.chosen.append(second)
    shown.append((first, second))
    page.wait_for_text("status", "Choice 1 is saved.")
    page.wait_for_pair(2)
    shown.append(page.look_and_choose("a", lambda: page.press("a")))
    page.wait_for_text("status", "Choice 2 is saved.")
    page.wait_for_pair(3)
    # A reload goes on where it was, without asking for the name.
    before = page.seen()
    browser.refresh()
    page.wait_for_pair(3)
    assert page.seen() == before
    shown.append(page.look_and_choose("b", lambda: page.press("b")))
    page.wait_for_pair(4)
    # A second participant has another order.
    page.find("leave").click()
    page.join("ben")
    page.wait_for_pair(1)
    other_order = [page.look_and_choose("a", lambda: page.press("a", "a"))]  # Twice: the second is for no pair.
    for number in range(2, _PAIRS + 1):
      page.wait_for_pair(number)
      other_order.append(page.look_and_choose("a", page.find("choose-a").click))
    page.wait_for_text("thanks", "Thank you, ben!")
    assert f"All {_PAIRS} choices are saved." in page.find("thanks").text
    assert other_order[:3] != shown
    page.find("next-person").click()
    page.join("Anna")
    page.wait_for_text("status", "Welcome back: 3 of your choices are saved already.")
    page.wait_for_pair(4)
    fourth = page.seen()
    page.press(Keys.SPACE)
  # Without a server nothing is called saved, and nothing gets lost.
  page.press("a")
  page.wait_for_text("error", "Your choice could not be saved. The study's server does not answer.")
  assert page.find("counter").text == f"4 of {_PAIRS}"
  with stand_ins.serving(study_dir, port) as server:
    page.press("a")
    page.chosen.append(fourth)
    shown += other_order
    shown.append((fourth, _fourth_b(server)))
    page.wait_for_pair(5)
    assert page.find("error").text == ""
    # Two windows of one participant: the second answer does not count.
    browser.switch_to.new_window("tab")
    browser.get(server.url)
    page.join("anna")
    page.wait_for_pair(5)
    shown.append(page.look_and_choose("b", lambda: page.press("b")))
    page.wait_for_pair(6)
    browser.switch_to.window(browser.window_handles[0])
    page.press(Keys.SPACE, "a")
    page.wait_for_text("status", "That pair was answered already")
    page.wait_for_pair(6)
    shown.append(page.look_and_choose("b", page.find("choose-b").click))
    page.wait_for_text("thanks", "Thank you, anna!")
    found = summary.summarize(server.store)
    assert found.counts == _expected_counts(page.chosen, shown)
    assert (found.participants, found.finished) == (2, 2)
    assert sum(count.ours + count.other for row in found.counts.values() for count in row.values()) == 2 * _PAIRS
  complaints = [text for text in page.complaints() if "/picture/" not in text]
  # Chromium notes the server that was away, and the answer that came second; nothing else, such as a broken rule of
  # the page's own security.
  assert len(complaints) == 2 and "ERR_CONNECTION_REFUSED" in complaints[0] and "409" in complaints[1], complaints


def _fourth_b(server):
  """Returns the B of anna's fourth pair, from the study itself: it went by while the server was away."""
  showing = server.store.showing(server.store.join("anna").token, 3)
  pair = server.store.manifest.pairs[showing.pair]
  return (pair.opponent if showing.ours_is_a else stand_ins.OURS, pair.kind, pair.image)


def test_pictures_that_do_not_come(tmp_path, browser, capsys):
  study_dir = stand_ins.make_study(tmp_path, pairs=4, size=_SIZE)
  page = _Page(browser)

  def picture_of_next(server, position):
    """Returns the file of ours at a position, seen nowhere else."""
    showing = server.store.showing(server.store.join("cora").token, position)
    return manifests.picture_path(study_dir, server.store.manifest.file_hash(showing.pair, ours=True))

  with stand_ins.serving(study_dir) as server:
    away = picture_of_next(server, 1)
    os.rename(away, away + ".away")
    browser.get(server.url)
    page.join("cora")
    page.wait_for_pair(1, total=4)
    page.wait_for(lambda: "no such file" in capsys.readouterr().err)  # While loading in advance.
    page.look_and_choose("a", page.find("choose-a").click)
    page.wait_for_text("error", "An image of this pair could not be loaded.")
    assert not page.find("stage").is_displayed() and not page.find("choose-a").is_enabled()
    os.rename(away + ".away", away)
    away = picture_of_next(server, 2)
    os.rename(away, away + ".away")
    page.find("again").click()
    page.wait_for_pair(2, total=4)
    assert page.find("error").text == ""
    page.wait_for(lambda: os.path.basename(away) in capsys.readouterr().err)
    os.rename(away + ".away", away)
    page.look_and_choose("b", page.find("choose-b").click)
    page.wait_for_pair(3, total=4)  # Asked for once more, without a word.
    assert page.find("error").text == "" and page.seen()
    assert len(server.store.outcomes()) == 2


@pytest.fixture(name="page")
def _page(browser):
  page = _Page(browser)
  page.complaints()  # Of tests before.
  yield page
  browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
  browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(
  "width, height, density, side",
  [(1280, 800, 1, 512), (2560, 1440, 1, 1024), (375, 667, 1, 256), (390, 844, 3, 341.33), (740, 360, 1, None)],
)
def test_everything_fits_the_window(tmp_path, page, width, height, density, side):
  """`side`: of the picture of 256 pixels, in CSS pixels: whole multiples on the screen, unless it must be smaller."""
  page.window(width, height, touch=density > 1, density=density)
  with stand_ins.serving(stand_ins.make_study(tmp_path, size=(256, 256))) as server:
    page.browser.get(server.url)
    page.join("anna")
    page.wait_for_pair(1, total=8)
    assert page.scroll_size() == [width, height]
    boxes = {name: page.find(name).rect for name in ("question", "zoom", "frame", "show-a", "choose-a", "choose-b")}
    for name, box in boxes.items():
      assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height, (name, box)
    picture, button = boxes["frame"], boxes["show-a"]
    assert picture["y"] >= boxes["question"]["y"] + boxes["question"]["height"]
    assert picture["y"] + picture["height"] <= button["y"] or picture["x"] + picture["width"] <= button["x"]
    assert picture["width"] == pytest.approx(picture["height"], abs=0.1) and picture["width"] >= 150
    assert side is None or picture["width"] == pytest.approx(side, abs=0.5)


def test_both_pictures_are_zoomed_and_moved_together(tmp_path, page):
  """By wheel, keys, buttons, mouse and two fingers; a drag is no click; the next pair is whole again."""
  size = 64
  ramp = np.zeros((size, size, 3), np.uint8)
  ramp[..., 0], ramp[..., 1] = np.meshgrid(np.arange(size) * 4, np.arange(size) * 4)
  page.window(1000, 800)
  with stand_ins.serving(stand_ins.make_study(tmp_path, size=(size, size), background=ramp)) as server:
    page.browser.get(server.url)
    page.join("anna")
    page.wait_for_pair(1, total=8)

    def zoom():
      return int(page.find("zoom-text").text.rstrip("%"))

    def picture_place(x, y):
      """Returns the picture's pixel that is seen at a place of the window, and its blue, which names the result."""
      frame = page.find("frame").rect
      shown = np.asarray(Image.open(io.BytesIO(page.find("frame").screenshot_as_png)).convert("RGB"))
      red, green, blue = shown[int(y - frame["y"]), int(x - frame["x"])]
      return (red // 4, green // 4), blue

    fitted, frame = zoom(), page.find("frame").rect
    assert fitted % 100 == 0 and frame["width"] == frame["height"] == size * fitted // 100
    assert not page.find("zoom-out").is_enabled()
    place = (frame["x"] + frame["width"] // 4, frame["y"] + frame["height"] // 4)
    whole = picture_place(*place)
    before = fitted
    while before < 2.5 * fitted:  # A picture that does not fill the room yet stays in its middle.
      seen, result = picture_place(*place)
      page.wheel(place, -120)
      page.wait_for(lambda former=before: zoom() > former)
      before = zoom()
      assert before % 100 == 0
    zoomed = picture_place(*place)
    assert np.abs(np.subtract(zoomed[0], seen, dtype=int)).max() <= 1 and zoomed[1] == result
    assert page.scroll_size() == [1000, 800]
    page.press(Keys.SPACE)
    other = picture_place(*place)
    assert other[0] == zoomed[0] and other[1] != result  # The other picture, at the same place.
    # A drag moves both and switches nothing; what was under the mouse stays under it.
    target = (place[0] - 100, place[1] - 60)
    page.drag(place, target)
    assert picture_place(*target) == other and page.find("show-b").get_attribute("aria-pressed") == "true"
    page.find("stage").click()
    assert picture_place(*target) == (other[0], result)
    # The keyboard.
    page.keys(Keys.ARROW_RIGHT, modifiers=[Keys.SHIFT])
    moved = picture_place(*target)
    assert moved[0][0] > other[0][0] and moved[0][1] == other[0][1] and moved[1] == result
    before = zoom()
    page.keys("-")
    assert zoom() < before
    page.keys("+")
    assert zoom() == before
    page.keys("0")
    assert zoom() == fitted and picture_place(*place) == whole
    page.find("zoom-in").click()
    assert zoom() > fitted
    page.find("zoom-fit").click()
    assert zoom() == fitted
    # Two fingers.
    page.window(390, 844, touch=True)
    page.wait_for(lambda: page.find("frame").rect["width"] < 390)
    phone = zoom()
    first, second = (150, 400), (220, 400)
    page.touch("touchStart", first)
    page.touch("touchStart", first, second)
    for x in (260, 300, 360):
      page.touch("touchMove", first, (x, 400))
    page.touch("touchEnd")
    assert zoom() >= 2 * phone and page.find("show-a").get_attribute("aria-pressed") == "true"
    page.press("b")
    page.wait_for_pair(2, total=8)
    assert zoom() == phone and not page.complaints()
