"""Draws docs/images/app*.jpg: z2i app in headless Chromium, with boats painted over and filled by the default model.

  PYTHONPATH=. python docs/draw_app.py --photos=FOLDER

FOLDER has the free photographs named in z2i_tf/assets/full/photographs.tsv.
"""

import argparse
import io
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from PIL import Image

from tests import browsers
from tests.app import stand_ins
import z2i_tf

_IMAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images")
_PHOTO, _SIZE = "oceanic-003.jpg", (2048, 1152)  # Width, height.
# Pixels of the photograph, (x, y): outline of the ship, strokes over the boats.
_SHIP = (
  *((1137, 798), (1233, 773), (1319, 795), (1364, 920), (1352, 962)),
  *((1310, 976), (1203, 938), (1153, 884), (1131, 831)),
)
_BOATS = (
  ((1205, 697), (1242, 697)),
  ((1300, 675), (1320, 690)),
  ((1358, 732), (1384, 750)),
  ((1444, 715), (1460, 738)),
)
_BRUSH = 51  # Of the slider's 100 steps: 62 pixels of the photograph.
_PAGE_MARGIN, _ZOOM_STEP = 16, 1.3  # Of the page: around the fitted photograph; of a click on "+".
_QUALITY = 80
_HEIGHT, _GAP = 574, 17  # Of app.jpg: height; pixels between the windows.


class _Page(browsers.Page):
  """Paints in pixels of the photograph, which fills the window times 1.3 ** `zoom_steps`."""

  def __init__(self, browser, url, photo, size, zoom_steps=0, **options):
    """Opens the photograph; see `window` for `size` and `options`."""
    super().__init__(browser)
    self.window(*size, **options)
    browser.get(url)
    self.script("sessionStorage.clear()")
    browser.get(url)
    self.find("photo-input").send_keys(photo)
    self.wait_for_text("status", "Brush over")
    self.find("auto").click()
    for _ in range(zoom_steps):
      self.script("document.getElementById('zoom-in').click()")
    self.script(
      "const size = document.getElementById('size'); size.value = arguments[0]; size.dispatchEvent(new Event('input'))",
      _BRUSH,
    )
    self._stage, self._zoom = self.find("stage").rect, _ZOOM_STEP**zoom_steps

  def _place(self, point):
    """Returns where a point of the photograph is in the window."""
    stage, (width, height) = self._stage, _SIZE
    fit = min((stage["width"] - 2 * _PAGE_MARGIN) / width, (stage["height"] - 2 * _PAGE_MARGIN) / height)
    return [
      stage[start] + stage[length] / 2 + fit * self._zoom * (at - side / 2)
      for start, length, side, at in (("x", "width", width, point[0]), ("y", "height", height, point[1]))
    ]

  def paint(self):
    for tool, strokes in (("lasso", (_SHIP,)), ("brush", _BOATS)):
      self.script("document.querySelector(`input[value=${arguments[0]}]`).click()", tool)
      for stroke in strokes:
        self.drag(*(self._place(point) for point in stroke))
    self.wait_for(lambda: "Brush over" not in self.find("status").text)

  def fill(self):
    self.find("fill").click()
    self.wait_for_text("status", "Filled.")

  def screenshot(self):
    return Image.open(io.BytesIO(self.browser.get_screenshot_as_png())).convert("RGB")


def _set_dark(browser, is_dark):
  value = "dark" if is_dark else "light"
  browser.execute_cdp_cmd(
    "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": value}]}
  )


def _side_by_side(pictures):
  """Scales pictures to one height and puts them beside each other, on white."""
  scaled = []
  for picture in pictures:
    width = round(picture.width * _HEIGHT / picture.height)
    scaled.append(picture.resize((width, _HEIGHT), Image.Resampling.LANCZOS))
  sheet = Image.new("RGB", (sum(each.width + _GAP for each in scaled) - _GAP, _HEIGHT), "white")
  left = 0
  for each in scaled:
    sheet.paste(each, (left, 0))
    left += each.width + _GAP
  return sheet


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--photos", required=True, help="folder of the photograph")
  parser.add_argument("--output_dir", default=_IMAGES, help="folder of the pictures")
  arguments = parser.parse_args()
  photo = os.path.abspath(os.path.join(arguments.photos, _PHOTO))
  pictures = {}
  with (
    tempfile.TemporaryDirectory() as profile,
    stand_ins.serving(z2i_tf.Inpainter.load()) as server,
    browsers.chromium(profile) as browser,
  ):
    _set_dark(browser, False)
    page = _Page(browser, server.url, photo, (1280, 800))
    page.paint()
    pictures["app_1280"] = page.screenshot()
    _set_dark(browser, True)
    page = _Page(browser, server.url, photo, (390, 844), zoom_steps=3, touch=True, density=2)
    page.paint()
    pictures["app_390"] = page.screenshot()
    page.fill()
    pictures["app"] = _side_by_side([pictures["app_1280"], page.screenshot()])
    page = _Page(browser, server.url, photo, (2560, 1440))
    page.paint()
    page.fill()
    pictures["app_2560"] = page.screenshot()
  for name, picture in pictures.items():
    picture.save(os.path.join(arguments.output_dir, f"{name}.jpg"), quality=_QUALITY)


if __name__ == "__main__":
  main()
