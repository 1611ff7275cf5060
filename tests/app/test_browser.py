"""The page in a real browser: Chromium without a window, driven by Selenium.

Skipped, with the command that installs it, where there is no browser.
"""

import json
import os
import threading

import cv2
import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests import browsers
from tests.app import stand_ins
import z2i_tf
from z2i_tf.cli.main import main

pytestmark = browsers.needed
_SIZE = (240, 360)  # Of the photograph.
_OF_TESTS = ("Canvas2D: Multiple readback", "[Intervention]")


class _Page(browsers.Page):
  """What a person sees and does; places on the photograph are shares of its width and height."""

  def __init__(self, browser, downloads):
    super().__init__(browser)
    self._downloads = downloads

  def open(self, url, photo):
    self.browser.get(url)
    self.script("sessionStorage.clear()")
    self.browser.get(url)
    self.complaints()  # Of tests before.
    self.load(photo)

  def load(self, photo):
    self.find("photo-input").send_keys(str(photo))
    self.wait_until_drawn()

  def wait_until_drawn(self):
    self.wait_for(
      lambda: self.script(
        "const canvas = document.getElementById('canvas');"
        "return !document.getElementById('stage').hidden && canvas.width > 0 &&"
        " canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[3] > 0"
      )
    )

  @property
  def version(self):
    return int(self.script("return document.body.dataset.version"))

  def wait_for_version(self, version):
    self.wait_for(lambda: self.version == version and self.script("return document.body.dataset.busy") == "false")

  def box(self):
    """Left, top, width and height of the photograph in the window."""
    zoom = int(self.find("zoom-text").get_attribute("textContent").rstrip("%")) / 100
    stage = self.find("stage").rect
    width, height = _SIZE[1] * zoom, _SIZE[0] * zoom
    return stage["x"] + (stage["width"] - width) / 2, stage["y"] + (stage["height"] - height) / 2, width, height

  def place(self, x, y):
    left, top, width, height = self.box()
    return left + x * width, top + y * height

  def drag(self, *places, **options):
    """Moves the pressed mouse (or a pen) over places of the photograph."""
    super().drag(*(self.place(*place) for place in places), **options)

  def colour(self, x, y):
    """What the page's canvas shows at a place of the photograph, RGB."""
    left, top = self.place(x, y)
    stage = self.find("stage").rect
    return self.script(
      "return [...document.getElementById('canvas').getContext('2d').getImageData("
      "arguments[0], arguments[1], 1, 1).data].slice(0, 3)",
      left - stage["x"],
      top - stage["y"],
    )

  def wait_for_colour(self, expected):
    """At (0.4, 0.5). (The preview is a JPEG file, what comes later is not.)"""
    self.wait_for(lambda: np.abs(np.subtract(self.colour(0.4, 0.5), expected)).max() <= 30)

  def downloaded(self, name, action):
    """Returns the content of the file that an action downloads."""
    path = os.path.join(self._downloads, name)
    if os.path.exists(path):
      os.unlink(path)
    action()
    self.wait_for(lambda: os.path.exists(path))
    with open(path, "rb") as file:
      return file.read()

  def photo_and_mask(self, name="holiday"):
    def save(button):
      self.find("save").click()
      self.find(button).click()

    return (
      self.downloaded(f"{name}_filled.png", lambda: save("save-own")),
      self.downloaded(f"{name}_mask.png", lambda: save("save-mask")),
    )

  def complaints(self):
    """Without what the tests themselves cause: reading the canvas, made-up taps."""
    return [text for text in super().complaints() if not any(note in text for note in _OF_TESTS)]


@pytest.fixture(name="page", scope="module")
def _page(tmp_path_factory):
  downloads = tmp_path_factory.mktemp("downloads")
  with browsers.chromium(tmp_path_factory.mktemp("profile"), downloads) as browser:
    yield _Page(browser, downloads)


@pytest.fixture(name="url", scope="module")
def _url(models_loaded_once):
  """Of an application with the bundled model, which `z2i inpaint` uses here, too."""
  del models_loaded_once
  with stand_ins.serving(z2i_tf.Inpainter.load()) as server:
    yield server.url


@pytest.fixture(name="photo", scope="module")
def _photo(tmp_path_factory):
  path = tmp_path_factory.mktemp("photo") / "holiday.png"
  path.write_bytes(stand_ins.png(stand_ins.picture(*_SIZE)))
  return path


def _inpaint(tmp_path, image, mask):
  """Returns what `z2i inpaint` writes."""
  (tmp_path / "mask.png").write_bytes(mask)
  assert main(["inpaint", f"--image={image}", f"--mask={tmp_path}/mask.png", f"--output={tmp_path}/result.png"]) == 0
  return (tmp_path / "result.png").read_bytes()


def test_a_thing_is_painted_away_and_downloaded(page, url, photo, tmp_path):
  page.window(1280, 800)
  page.open(url, photo)
  assert page.find("file").text == "holiday.png, 360 × 240"
  before = page.colour(0.4, 0.5)
  page.drag((0.3, 0.5), (0.5, 0.5))
  page.wait_for_version(1)
  page.wait_for_text("status", "Filled.")
  result, mask = page.photo_and_mask()
  filled = stand_ins.decode(result)[120, 144]
  page.wait_for_colour(filled)  # What is seen is what is downloaded.
  assert np.abs(np.subtract(filled, before, dtype=int)).max() > 60
  assert result == _inpaint(tmp_path, photo, mask)
  hole = stand_ins.decode(mask)[..., 0] > 0
  original = stand_ins.decode(photo.read_bytes())
  assert 0.01 < hole.mean() < 0.1 and (stand_ins.decode(result)[~hole] == original[~hole]).all()
  page.keys("c")  # Pressed and let go: nothing stays.
  page.script("window.dispatchEvent(new KeyboardEvent('keydown', {key: 'c'}))")
  page.wait_for_colour(before)
  page.script("window.dispatchEvent(new KeyboardEvent('keyup', {key: 'c'}))")
  page.wait_for_colour(filled)
  page.keys("z", modifiers=[Keys.CONTROL])
  page.wait_for_version(2)
  page.wait_for_colour(before)
  page.find("redo").click()
  page.wait_for_version(3)
  page.wait_for_colour(filled)
  assert page.photo_and_mask()[0] == result
  # A second fill follows the first, and a reload goes on with both.
  page.drag((0.7, 0.2), (0.8, 0.3))
  page.wait_for_version(4)
  page.browser.refresh()
  page.wait_until_drawn()
  page.wait_for_colour(filled)
  assert page.version == 4
  page.find("undo").click()
  page.wait_for_version(5)
  assert page.photo_and_mask()[0] == result and not page.complaints()


def test_every_tool_and_filling_on_demand(page, url, photo, tmp_path):
  page.window(1280, 800)
  page.open(url, photo)
  page.find("auto").click()
  for tool, places in (
    ("r", [(0.2, 0.2), (0.4, 0.4)]),
    ("l", [(0.6, 0.2), (0.8, 0.2), (0.8, 0.5), (0.6, 0.2)]),
    ("b", [(0.5, 0.8), (0.6, 0.8)]),
    ("e", [(0.3, 0.1), (0.3, 0.5)]),
    ("r", [(0.05, 0.05), (0.1, 0.1)]),
  ):
    page.script("document.activeElement.blur()")
    page.keys(tool)
    page.drag(*places)
  page.keys("z", modifiers=[Keys.CONTROL])  # The last rectangle.
  assert page.version == 0 and page.find("fill").is_enabled()
  painted = page.downloaded("holiday_mask.png", lambda: (page.find("save").click(), page.find("save-mask").click()))
  hole = stand_ins.decode(painted)[..., 0] > 0
  assert hole[60, 80] and not hole[72, 108] and hole[60, 270] and hole[192, 198] and not hole[18, 27]
  page.find("stage").send_keys(Keys.ENTER)
  page.wait_for_version(1)
  result, mask = page.photo_and_mask()
  assert mask == painted and result == _inpaint(tmp_path, photo, mask)
  # Undone, the strokes wait again.
  page.keys("z", modifiers=[Keys.CONTROL])
  page.wait_for_version(2)
  assert page.find("fill").is_enabled()
  page.keys("z", modifiers=(Keys.CONTROL, Keys.SHIFT))
  page.wait_for_version(3)
  assert not page.find("fill").is_enabled() and page.photo_and_mask()[0] == result
  # A mask from a file, faint and black on white, and how it is filled.
  faint = np.where(np.roll(hole, 30, axis=0), 155, 255).astype(np.uint8)
  (tmp_path / "own.png").write_bytes(stand_ins.png(faint))
  page.find("mask-input").send_keys(str(tmp_path / "own.png"))
  page.wait_for_text("error-text", "ambiguous as a mask")
  page.find("settings-open").click()
  page.find("mask-invert").click()
  page.find("mask-threshold").send_keys("90")
  page.find("settings").find_element(By.CSS_SELECTOR, ".primary").click()
  page.find("mask-input").send_keys(str(tmp_path / "own.png"))
  page.wait_for_text("status", "Mask: hole")
  assert ["400" in text for text in page.complaints()] == [True] and not page.find("error").is_displayed()
  page.find("settings-open").click()
  page.find("dilate").send_keys(Keys.BACKSPACE + "3")
  page.find("detail").send_keys("none")
  page.find("settings").find_element(By.CSS_SELECTOR, ".primary").click()
  page.find("fill").click()
  page.wait_for_version(4)
  union = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
  assert (union == (hole | np.roll(hole, 30, axis=0))).all() and not page.complaints()


def test_the_keyboard_alone(page, url, photo):
  page.window(1280, 800)
  page.open(url, photo)
  assert page.script("return document.activeElement.id") == "stage"
  page.keys("]", "]")
  size = page.find("size-text").text
  page.keys(Keys.ARROW_LEFT, "p", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
  page.keys(Keys.ARROW_RIGHT, modifiers=[Keys.SHIFT])
  assert page.version == 0
  page.keys("p")
  page.wait_for_version(1)
  hole = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
  rows, columns = np.nonzero(hole)
  assert columns.max() - columns.min() > 1.5 * int(size.split()[0]) > rows.max() - rows.min()
  page.keys("z", modifiers=[Keys.CONTROL])
  page.wait_for_version(2)
  # Everything can be reached with Tab, is named, and says that it has the focus.
  seen = set()
  page.script("document.activeElement.blur()")
  for _ in range(40):
    page.keys(Keys.TAB)
    name, label, outline = page.script(
      "const e = document.activeElement, o = e.matches('#tool input') ? e.parentElement : e;"
      "return [e.id || e.value || '',"
      " (e.getAttribute('aria-label') || (e.labels && e.labels[0] || e).textContent).trim(),"
      " getComputedStyle(o).outlineStyle]"
    )
    if name:
      seen.add(name)
      assert label and outline != "none", name
  assert {
    "open",
    "redo",
    "compare",
    "settings-open",
    "help-open",
    "save",
    "stage",
    "brush",
    "size",
    "zoom-out",
    "zoom-fit",
    "zoom-in",
    "auto",
  } <= seen
  page.find("stage").send_keys("?")
  assert page.find("help").is_displayed()
  page.keys(Keys.ESCAPE)
  assert not page.find("help").is_displayed()
  page.find("stage").send_keys("r", Keys.ARROW_LEFT, "p", Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.ESCAPE, "p", "p")
  assert page.version == 2 and not page.complaints()  # Cancelled, and then an empty rectangle.
  page.downloaded("holiday_filled.png", lambda: page.keys("s", modifiers=[Keys.CONTROL]))


def test_fingers_and_pen(page, url, photo):
  page.window(390, 844, touch=True)
  page.open(url, photo)
  zoom = lambda: int(page.find("zoom-text").get_attribute("textContent").rstrip("%"))
  fitted = zoom()
  # Two fingers move and zoom, and paint nothing, though one was first.
  first, second, away = page.place(0.4, 0.5), page.place(0.6, 0.5), page.place(0.95, 0.5)
  page.touch("touchStart", first)
  page.touch("touchMove", page.place(0.42, 0.5))
  page.touch("touchStart", first, second)
  for share in (0.3, 0.6, 1):
    page.touch("touchMove", first, [a + share * (b - a) for a, b in zip(second, away)])
  page.touch("touchEnd")
  assert zoom() > 1.8 * fitted and page.version == 0 and not page.find("fill").is_enabled()
  # Two taps: back, and in again; no dot is painted.
  for expected in (lambda: zoom() == fitted, lambda: zoom() > 1.8 * fitted, lambda: zoom() == fitted):
    page.script("""const stage = document.getElementById('stage'), box = stage.getBoundingClientRect();
      for (const kind of ['pointerdown', 'pointerup', 'pointerdown', 'pointerup'])
        stage.dispatchEvent(new PointerEvent(kind, {pointerId: 7, pointerType: 'touch', clientX: box.x + 190,
          clientY: box.y + 300, button: 0, bubbles: true}))""")
    page.wait_for(expected)
  assert page.version == 0
  page.touch("touchStart", page.place(0.3, 0.5))
  for x in (0.35, 0.4, 0.45):
    page.touch("touchMove", page.place(x, 0.5))
  page.touch("touchEnd")
  page.wait_for_version(1)
  page.touch("touchStart", page.place(0.8, 0.2))  # One tap is a dot.
  page.touch("touchEnd")
  page.wait_for_version(2)
  # A pen that is pressed lightly paints thinly.
  widths = []
  for force, y in ((1.0, 0.75), (0.1, 0.9)):
    before = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
    page.drag((0.3, y), (0.5, y), pointerType="pen", force=force)
    page.wait_for_version(page.version + 1 if force == 1 else 4)
    after = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
    widths.append((after & ~before)[:, 144].sum())
  assert widths[1] < 0.6 * widths[0], widths
  assert not page.complaints()


@pytest.mark.parametrize("width, height", [(390, 844), (1280, 800), (2560, 1440)])
def test_everything_fits_the_window(page, url, photo, width, height):
  page.window(width, height, touch=width < 1000)
  page.open(url, photo)
  assert page.scroll_size() == [width, height]
  boxes = {
    element.get_attribute("id") or element.text: element.rect
    for element in page.browser.find_elements(By.CSS_SELECTOR, "button, #tool label, #size, #stage")
    if element.is_displayed()
  }
  assert len(boxes) > 12
  for name, box in boxes.items():
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height, (name, box)
    assert name == "size" or min(box["width"], box["height"]) >= 40, (name, box)  # Large enough for a finger.
  assert boxes["stage"]["height"] > 0.7 * height
  left, top, photo_width, photo_height = page.box()
  assert left >= 0 and photo_width <= width and top >= boxes["stage"]["y"] and photo_height <= boxes["stage"]["height"]


def test_zooming_and_moving(page, url, photo):
  page.window(1280, 800)
  page.open(url, photo)
  zoom = lambda: int(page.find("zoom-text").text.rstrip("%"))
  fitted, (x, y) = zoom(), page.place(0.25, 0.25)
  colour = page.colour(0.25, 0.25)
  page.wheel((x, y), -500)
  page.wait_for(lambda: zoom() > 2 * fitted)
  stage = page.find("stage").rect
  seen = lambda: page.script(
    "return [...document.getElementById('canvas').getContext('2d').getImageData("
    "arguments[0], arguments[1], 1, 1).data].slice(0, 3)",
    x - stage["x"],
    y - stage["y"],
  )
  page.wait_for(lambda: np.abs(np.subtract(seen(), colour)).max() <= 12)  # What is under the mouse stays there.
  size = page.find("size-text").text
  page.wheel((x, y), -500, modifiers=8)  # Shift.
  page.wait_for(lambda: page.find("size-text").text != size)
  page.keys("0")
  page.wait_for(lambda: zoom() == fitted)
  page.keys("1")
  page.wait_for(lambda: zoom() == 100)
  page.keys("v")
  before = page.script("return document.getElementById('canvas').toDataURL()")
  page.drag((0.5, 0.5), (0.7, 0.6))
  page.wait_for(lambda: page.script("return document.getElementById('canvas').toDataURL()") != before)
  assert page.version == 0 and not page.complaints()


def test_a_large_photograph_is_sharp_where_it_is_seen(page, tmp_path):
  """The preview of 24 megapixels is three times smaller; zoomed in, its own pixels show; only a part is sent back."""
  height, width = 4000, 6000
  pixels = np.full((height, width, 3), 90, np.uint8)
  pixels[1990:2010:2, 2990:3010] = 250  # Lines of one pixel.
  cv2.imwrite(str(tmp_path / "large.png"), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, tmp_path / "large.png")
    page.script("document.getElementById('zoom-fit').focus()")
    page.keys("1")
    stage = page.find("stage").rect
    centre = [stage["width"] / 2, stage["height"] / 2]

    def seen():
      rows = page.script(
        "return [...document.getElementById('canvas').getContext('2d').getImageData(arguments[0], "
        "arguments[1], 1, 6).data]",
        *centre,
      )
      return [row > 170 for row in rows[::4]]

    page.wait_for(lambda: seen() in ([True, False] * 3, [False, True] * 3))
    page.script(
      "window.sizes = []; const f = window.fetch; window.fetch = async (...a) => {const r = await f(...a);"
      "if (a[0].endsWith('/fills')) r.clone().text().then((t) => sizes.push(t.length)); return r;}"
    )
    middle = [stage["x"] + centre[0], stage["y"] + centre[1]]
    browsers.Page.drag(page, middle, [middle[0] + 30, middle[1]])
    page.wait_for_version(1)
    page.wait_for(lambda: page.script("return sizes.length"))
    assert page.script("return sizes[0]") < 200_000
    page.wait_for(lambda: not any(seen()))
    assert not page.complaints()


def test_what_is_no_picture_is_said(page, url, photo, tmp_path):
  page.window(1280, 800)
  page.open(url, photo)
  page.drag((0.3, 0.5), (0.4, 0.5))
  page.wait_for_version(1)
  (tmp_path / "letter.png").write_text("Dear reader")
  page.find("photo-input").send_keys(str(tmp_path / "letter.png"))
  page.wait_for_text("error-text", "letter.png: not an image that can be read: unknown format")
  assert page.find("error").get_attribute("role") == "alert" and not page.find("restore").is_displayed()
  assert page.version == 1 and page.find("file").text.startswith("holiday.png")
  page.find("error-close").click()
  assert not page.find("error").is_displayed()
  page.load(photo)
  page.wait_for(lambda: page.version == 0)
  assert ["400" in text for text in page.complaints()] == [True]


def test_a_server_that_is_killed_and_comes_back(page, photo):
  page.window(1280, 800)
  with stand_ins.serving() as server:
    port, url = server.port, server.url
    page.open(url, photo)
    page.drag((0.3, 0.5), (0.4, 0.5))
    page.wait_for_version(1)
    result, mask = page.photo_and_mask()
  page.drag((0.6, 0.3), (0.7, 0.3))
  page.wait_for_text("error-text", "The server does not answer.")
  assert page.find("fill").is_enabled()  # The stroke waits.
  with stand_ins.serving(port=port):
    page.find("fill").click()
    page.wait_for_text("error-text", "The server does not know this photograph")
    page.find("restore").click()
    page.wait_for_version(1)
    assert page.photo_and_mask()[0] == result
    page.find("fill").click()
    page.wait_for_version(2)
    assert stand_ins.decode(page.photo_and_mask()[1]).sum() > stand_ins.decode(mask).sum()
  complaints = page.complaints()
  assert complaints and all("ERR_CONNECTION_REFUSED" in text or "404" in text for text in complaints), complaints


def test_waiting_cancelling_failing_and_a_second_window(page, photo):
  predictor = stand_ins.MeanPredictor()
  with stand_ins.serving(z2i_tf.Inpainter(predictor)) as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    other = stand_ins.open_photo(server.port, photo.read_bytes())
    predictor.gate.clear()
    thread = threading.Thread(
      target=lambda: stand_ins.fill(server.port, other["id"], 0, [{"kind": "rectangle", "points": [[5, 5], [20, 20]]}])
    )
    thread.start()
    page.wait_for(lambda: json.loads(stand_ins.request(server.port, "GET", "/api/v1/health")[2])["fills"] == 1)
    before = page.colour(0.4, 0.5)
    page.drag((0.3, 0.5), (0.5, 0.5))
    page.wait_for_text("progress-text", "Waiting: yours is next")
    page.find("cancel").click()
    page.wait_for_text("status", "Cancelled.")
    page.wait_for_colour(before)
    page.drag((0.3, 0.5), (0.5, 0.5))  # Waits behind the one that is cancelled, too.
    page.wait_for(page.find("progress").is_displayed)
    page.drag((0.7, 0.7), (0.8, 0.7))  # Painted meanwhile: filled after it.
    predictor.gate.set()
    thread.join()
    page.wait_for_version(2)
    # What fails leaves the picture, and the stroke waits.
    predictor.error = ZeroDivisionError()
    page.drag((0.2, 0.2), (0.3, 0.2))
    page.wait_for_text("error-text", "The picture is as it was.")
    predictor.error = None
    assert page.version == 2
    page.find("fill").click()
    page.wait_for_version(3)
    # A second window with the same photograph: its fill is not lost, this one's is not made on old pixels.
    session = page.script("return sessionStorage.getItem('z2i-session')")
    stand_ins.fill(server.port, session, 3, [{"kind": "rectangle", "points": [[300, 10], [340, 40]]}])
    page.drag((0.2, 0.8), (0.3, 0.8))
    page.wait_for_text("error-text", "Another window")
    page.wait_for_version(4)
    page.find("fill").click()
    page.wait_for_version(5)


_HOLD = """
  window.held = [];
  const answer = window.fetch;
  window.fetch = async (...request) => {
    const response = await answer(...request);
    if (window.toHold && request[0].includes(window.toHold)) await new Promise((resolve) => window.held.push(resolve));
    return response;
  };"""


def _sessions_of(server):
  return json.loads(stand_ins.request(server.port, "GET", "/api/v1/health")[2])["sessions"]


def _hold(page, part):
  """Lets the page wait for answers from addresses with this part until `_release`."""
  page.script(f"{_HOLD} window.toHold = arguments[0]", part)


def _wait(page):
  """Waits long enough for an unwanted action to show."""
  page.script("return new Promise((resolve) => setTimeout(resolve, 500))")


def _release(page):
  """Gives the page the answer that it waits for."""
  page.wait_for(lambda: page.script("return window.held.length"))
  page.script("window.toHold = null; for (const each of held.splice(0)) each()")


@pytest.fixture(name="others", scope="module")
def _others(tmp_path_factory):
  """Two more photographs, of the first one's size."""
  folder = tmp_path_factory.mktemp("others")
  for number in (1, 2):
    (folder / f"other{number}.png").write_bytes(stand_ins.png(stand_ins.picture(*_SIZE, seed=number)))
  return [folder / f"other{number}.png" for number in (1, 2)]


def _is_shown(page, photo):
  return photo.name in page.find("file").text and page.script("return document.body.dataset.busy") == "false"


def test_a_photograph_opened_while_another_is_changed(page, photo, others):
  """A late answer about the former photograph changes nothing of the new one, and the server forgets the former."""
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    page.drag((0.3, 0.5), (0.5, 0.5))
    page.wait_for_version(1)
    _hold(page, "/undo")
    page.find("undo").click()
    page.wait_for(lambda: page.script("return window.held.length"))
    page.find("photo-input").send_keys(str(others[0]))
    _wait(page)
    _release(page)
    page.wait_for(lambda: _is_shown(page, others[0]))
    assert page.version == 0 and not page.find("undo").is_enabled()
    page.wait_for_colour(stand_ins.decode(others[0].read_bytes())[120, 144])
    page.wait_for(lambda: _sessions_of(server) == 1)
    page.drag((0.3, 0.5), (0.5, 0.5))
    page.wait_for_version(1)
    assert not page.complaints()


def test_the_photograph_that_was_opened_last_stays(page, photo, others):
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    _hold(page, "/sessions?")
    page.find("photo-input").send_keys(str(others[0]))
    page.wait_for(lambda: page.script("return window.held.length"))
    page.script("window.toHold = null")
    page.find("photo-input").send_keys(str(others[1]))
    _wait(page)
    _release(page)
    page.wait_for(lambda: _is_shown(page, others[1]) and _sessions_of(server) == 1)
    page.wait_for_colour(stand_ins.decode(others[1].read_bytes())[120, 144])
    assert not page.complaints()


def test_a_reload_that_fails_or_is_overtaken(page, photo, others):
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/preview*"]})
    try:
      page.browser.refresh()
      page.wait_for_text("error-text", "The server does not answer.")
    finally:
      page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    assert all("ERR_BLOCKED" in text for text in page.complaints())
    held = page.browser.execute_cdp_cmd(
      "Page.addScriptToEvaluateOnNewDocument", {"source": f"{_HOLD} window.toHold = '/preview';"}
    )
    page.browser.refresh()
    page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", held)
    page.wait_for(lambda: page.script("return window.held.length"))
    page.find("photo-input").send_keys(str(others[0]))
    _wait(page)
    _release(page)
    page.wait_for(lambda: _is_shown(page, others[0]))
    assert not page.complaints()


def test_a_lost_photograph_gets_all_its_fills_back(page, photo, tmp_path):
  """Those of loaded masks, too. Cancelling, or a server that ends again, leaves the rest waiting."""
  page.window(1280, 800)
  hole = np.zeros(_SIZE, np.uint8)
  hole[20:60, 200:300] = 255
  (tmp_path / "mask.png").write_bytes(stand_ins.png(hole))
  with stand_ins.serving() as server:
    port = server.port
    page.open(server.url, photo)
    page.find("mask-input").send_keys(str(tmp_path / "mask.png"))
    page.wait_for_text("status", "Mask: hole")
    page.find("fill").click()
    page.wait_for_version(1)
    for version, place in ((2, 0.3), (3, 0.6), (4, 0.9)):
      page.drag((0.1, place), (0.3, place))
      page.wait_for_version(version)
    mask = page.photo_and_mask()[1]
  predictor = stand_ins.MeanPredictor()
  with stand_ins.serving(z2i_tf.Inpainter(predictor), port=port):
    page.find("undo").click()
    page.wait_for_text("error-text", "The server does not know this photograph")
    predictor.gate.clear()
    calls = predictor.calls
    page.find("restore").click()
    page.wait_for(lambda: predictor.calls > calls)
    page.find("cancel").click()
    page.wait_for_text("status", "Cancelled.")
    page.wait_for(page.find("fill").is_enabled)
    predictor.gate.set()
    assert page.version == 0
    painted = page.downloaded("holiday_mask.png", lambda: (page.find("save").click(), page.find("save-mask").click()))
    np.testing.assert_array_equal(stand_ins.decode(painted), stand_ins.decode(mask))
  page.find("fill").click()  # The server ended once more.
  page.wait_for_text("error-text", "The server does not answer.")
  with stand_ins.serving(port=port):
    page.wait_for(page.find("fill").is_enabled)
    page.find("fill").click()
    page.wait_for_text("error-text", "The server does not know this photograph")
    page.find("restore").click()
    page.wait_for_text("status", "The photograph is loaded again.")
    page.wait_for(page.find("fill").is_enabled)
    page.find("fill").click()
    page.wait_for_version(1)
    np.testing.assert_array_equal(stand_ins.decode(page.photo_and_mask()[1]), stand_ins.decode(mask))


def test_fills_whose_strokes_are_unknown_are_named(page, photo):
  """Another window changed the photograph, and then the server lost it."""
  with stand_ins.serving() as server:
    port = server.port
    page.window(1280, 800)
    page.open(server.url, photo)
    session = page.script("return sessionStorage.getItem('z2i-session')")
    stand_ins.fill(port, session, 0, [{"kind": "rectangle", "points": [[300, 10], [340, 40]]}])
    page.drag((0.2, 0.8), (0.3, 0.8))
    page.wait_for_text("error-text", "Another window")
    page.wait_for_version(1)
    page.find("fill").click()
    page.wait_for_version(2)
  with stand_ins.serving(port=port):
    page.find("undo").click()
    page.wait_for_text("error-text", "The server does not know this photograph")
    page.find("restore").click()
    page.wait_for_text("status", "except 1 whose strokes this page does not know")
    page.wait_for_version(1)
    page.complaints()


def test_what_the_server_drops(page, photo, tmp_path):
  """A mask is not the photograph; a photograph that is dropped while it is filled can be loaded again."""
  predictor = stand_ins.MeanPredictor()
  with stand_ins.serving(z2i_tf.Inpainter(predictor), max_sessions=1) as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    mask = np.zeros(_SIZE, np.uint8)
    mask[20:60, 200:300] = 255
    (tmp_path / "mask.png").write_bytes(stand_ins.png(mask))
    page.find("mask-input").send_keys(str(tmp_path / "mask.png"))
    page.wait_for_text("status", "Mask: hole")
    session = page.script("return sessionStorage.getItem('z2i-session')")
    for _ in range(8):
      stand_ins.request(
        server.port, "POST", f"/api/v1/sessions/{session}/masks?name=m.png", stand_ins.png(mask), stand_ins.BYTES
      )
    page.find("fill").click()
    page.wait_for_text("error-text", "The server no longer keeps that mask.")
    assert not page.find("restore").is_displayed()
    page.wait_for(page.find("undo").is_enabled)
    page.find("undo").click()
    predictor.gate.clear()
    calls = predictor.calls
    page.drag((0.3, 0.5), (0.5, 0.5))
    page.wait_for(lambda: predictor.calls > calls)
    stand_ins.open_photo(server.port, photo.read_bytes())
    page.wait_for_text("error-text", "to make room")
    predictor.gate.set()
    page.find("restore").click()
    page.wait_for_text("status", "The photograph is loaded again")
    page.wait_for(page.find("fill").is_enabled)
    page.find("fill").click()
    page.wait_for_version(1)
    page.complaints()


def test_strokes_painted_during_a_refused_upload_are_filled(page, photo, tmp_path):
  """On the former photograph, which stays. The one whose fill the upload cancelled, too. The refusal stays visible."""
  (tmp_path / "letter.png").write_text("Dear reader")
  predictor = stand_ins.MeanPredictor()
  with stand_ins.serving(z2i_tf.Inpainter(predictor)) as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    predictor.gate.clear()
    calls = predictor.calls
    page.drag((0.3, 0.2), (0.5, 0.2))
    page.wait_for(lambda: predictor.calls > calls)
    _hold(page, "/sessions?")
    page.find("photo-input").send_keys(str(tmp_path / "letter.png"))
    page.wait_for(lambda: page.script("return window.held.length"))
    page.drag((0.3, 0.8), (0.5, 0.8))
    predictor.gate.set()
    _release(page)
    page.wait_for_version(1)
    page.wait_for_text("error-text", "letter.png: not an image that can be read")
    assert not page.find("fill").is_enabled()
    hole = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
    assert hole[48, 144] and hole[192, 144] and not hole[120, 144]
    page.complaints()


@pytest.mark.parametrize("change, version", [("undo", 3), ("redo", 4)])
def test_strokes_painted_during_undo_and_redo_are_filled(page, photo, change, version):
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    page.drag((0.3, 0.2), (0.5, 0.2))
    page.wait_for_version(1)
    if change == "redo":
      page.find("undo").click()
      page.wait_for_version(2)
    _hold(page, f"/{change}")
    page.find(change).click()
    page.wait_for(lambda: page.script("return window.held.length"))
    page.drag((0.3, 0.8), (0.5, 0.8))
    _release(page)
    page.wait_for_version(version)
    hole = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
    assert hole[48, 144] == (change == "redo") and hole[192, 144]
    assert not page.complaints()


def test_a_stroke_painted_during_a_refused_undo_is_filled(page, photo):
  """Another window changed the photograph: the page shows its state first and fills the stroke on it."""
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    page.drag((0.3, 0.2), (0.5, 0.2))
    page.wait_for_version(1)
    session = page.script("return sessionStorage.getItem('z2i-session')")
    stand_ins.fill(server.port, session, 1, [{"kind": "rectangle", "points": [[300, 10], [340, 40]]}])
    _hold(page, "/undo")
    page.find("undo").click()
    page.wait_for(lambda: page.script("return window.held.length"))
    page.drag((0.3, 0.8), (0.5, 0.8))
    _release(page)
    page.wait_for_text("error-text", "Another window")
    page.wait_for_version(3)
    assert not page.find("fill").is_enabled()
    hole = stand_ins.decode(page.photo_and_mask()[1])[..., 0] > 0
    assert hole[48, 144] and hole[192, 144] and hole[20, 320]
    assert ["409" in text for text in page.complaints()] == [True]


def test_a_fill_that_has_nothing_left_to_fill_is_forgotten(page, photo, tmp_path):
  """Fill is asked for during a redo, which takes the stroke. The mask that is loaded next waits for its own Fill."""
  mask = np.zeros(_SIZE, np.uint8)
  mask[20:60, 200:300] = 255
  (tmp_path / "mask.png").write_bytes(stand_ins.png(mask))
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    page.find("auto").click()
    page.drag((0.3, 0.2), (0.5, 0.2))
    page.find("fill").click()
    page.wait_for_version(1)
    page.find("undo").click()
    page.wait_for_version(2)
    _hold(page, "/redo")
    page.find("redo").click()
    page.wait_for(lambda: page.script("return window.held.length"))
    page.find("stage").send_keys(Keys.ENTER)
    _release(page)
    page.wait_for_version(3)
    page.find("mask-input").send_keys(str(tmp_path / "mask.png"))
    page.wait_for_text("status", "Mask: hole")
    _wait(page)
    assert page.version == 3 and page.find("fill").is_enabled()
    assert not page.complaints()


def test_a_mask_is_saved_after_a_restore(page, photo):
  with stand_ins.serving() as server:
    port = server.port
    page.open(server.url, photo)
    page.drag((0.3, 0.5), (0.5, 0.5))
    page.wait_for_version(1)
    mask = page.photo_and_mask()[1]
  with stand_ins.serving(port=port):
    page.find("undo").click()
    page.wait_for_text("error-text", "The server does not know this photograph")
    page.complaints()
    _hold(page, "/sessions?")
    page.find("restore").click()
    page.wait_for(lambda: page.script("return window.held.length"))

    def save_the_mask():
      page.find("save").click()
      page.find("save-mask").click()

    assert page.downloaded("holiday_mask.png", lambda: (save_the_mask(), _release(page))) == mask
    page.script("window.toHold = '/mask'")
    save_the_mask()
    page.wait_for(lambda: page.script("return window.held.length"))
    page.drag((0.6, 0.8), (0.7, 0.8))  # Filled after the mask.
    _release(page)
    page.wait_for_version(2)
    assert not page.complaints()


def test_a_copy_of_a_tab_keeps_its_photograph(page, photo, others):
  """A browser's copy of a tab shows the same photograph. Opening another one in either leaves the other tab's."""
  with stand_ins.serving() as server:
    page.window(1280, 800)
    page.open(server.url, photo)
    page.drag((0.3, 0.5), (0.5, 0.5))
    page.wait_for_version(1)
    first = page.browser.current_window_handle
    page.script("window.open('/')")
    (second,) = set(page.browser.window_handles) - {first}
    page.browser.switch_to.window(second)
    try:
      page.window(1280, 800)
      page.wait_until_drawn()
      assert _is_shown(page, photo) and page.version == 1
      page.browser.switch_to.window(first)
      page.load(others[0])
      page.wait_for(lambda: _is_shown(page, others[0]))
      _wait(page)
      page.browser.switch_to.window(second)
      page.drag((0.3, 0.8), (0.5, 0.8))
      page.wait_for_version(2)
      assert _sessions_of(server) == 2
      page.load(others[1])  # Now no tab shows the first photograph.
      page.wait_for(lambda: _is_shown(page, others[1]))
      page.wait_for(lambda: _sessions_of(server) == 2)
      assert not page.complaints()
    finally:
      page.browser.switch_to.window(second)
      page.browser.close()
      page.browser.switch_to.window(first)


def test_a_reload_says_that_the_photograph_is_gone(page, photo):
  with stand_ins.serving() as server:
    port = server.port
    page.open(server.url, photo)
  with stand_ins.serving(port=port):
    page.browser.refresh()
    page.wait_for_text("error-text", "The server does not know this photograph")
    assert page.find("welcome").is_displayed() and not page.find("restore").is_displayed()
    page.complaints()
    page.browser.refresh()  # Said once.
    _wait(page)
    assert page.find("welcome").is_displayed() and not page.find("error").is_displayed() and not page.complaints()
