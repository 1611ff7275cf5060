"""Drives headless Chromium with Selenium for the tests of pages; skips them, with the remedy, if it is missing."""

import contextlib
import shutil

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="no Selenium; install it with: pip install '.[test]'")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

_PATIENCE_S = 30
_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needed = pytest.mark.skipif(
  not (_CHROMIUM and _DRIVER),
  reason="no chromium or no chromedriver; install them with: apt-get install -y chromium chromium-driver",
)


@contextlib.contextmanager
def chromium(profile, downloads=None):
  """Yields a browser that asks for nothing elsewhere.

  Args:
    profile: a folder of its own.
    downloads: folder for what it downloads, or None.
  """
  options = webdriver.ChromeOptions()
  options.binary_location = _CHROMIUM
  for argument in (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--window-size=1280,900",
    f"--user-data-dir={profile}",
  ):
    options.add_argument(argument)
  if downloads is not None:
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
  options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("SE_OFFLINE", "true")  # Selenium looks for nothing, and reports nothing, elsewhere.
    patch.setenv("NO_PROXY", "127.0.0.1,localhost")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(_DRIVER))
    try:
      yield browser
    finally:
      browser.quit()


class Page:
  """A page in the browser: finds elements by id, waits, and sends a user's input."""

  def __init__(self, browser):
    self.browser = browser

  def find(self, name):
    return self.browser.find_element(By.ID, name)

  def wait_for(self, condition):
    WebDriverWait(self.browser, _PATIENCE_S, poll_frequency=0.02).until(lambda _: condition())

  def wait_for_text(self, name, text):
    self.wait_for(lambda: text in self.find(name).text)

  def script(self, text, *arguments):
    return self.browser.execute_script(text, *arguments)

  def keys(self, *keys, modifiers=()):
    """Presses keys one after the other, while the modifiers are held."""
    chain = ActionChains(self.browser)
    for modifier in modifiers:
      chain = chain.key_down(modifier)
    chain = chain.send_keys(*keys)
    for modifier in modifiers:
      chain = chain.key_up(modifier)
    chain.perform()

  def window(self, width, height, touch=False, density=1):
    """Sets the window's size in CSS pixels, with `density` screen pixels each; `touch`: as on a phone."""
    self.browser.execute_cdp_cmd(
      "Emulation.setDeviceMetricsOverride",
      {"width": width, "height": height, "deviceScaleFactor": density, "mobile": touch},
    )
    self.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch, "maxTouchPoints": 2})

  def scroll_size(self):
    """Returns width and height of the whole document; those of the window if everything fits."""
    return self.script("const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]")

  def mouse(self, kind, place, **options):
    """Sends a mouse event of the DevTools protocol at (x, y) of the window."""
    self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": place[0], "y": place[1], **options})

  def wheel(self, place, delta, **options):
    self.mouse("mouseWheel", place, deltaX=0, deltaY=delta, **options)

  def drag(self, *places, **options):
    """Moves the pressed mouse (or a pen) over places of the window."""
    options = {"button": "left", "clickCount": 1, **options}
    self.mouse("mouseMoved", places[0], **options, buttons=0)
    self.mouse("mousePressed", places[0], **options, buttons=1)
    for start, end in zip(places, places[1:]):
      for share in (0.25, 0.5, 0.75, 1):
        self.mouse("mouseMoved", [a + share * (b - a) for a, b in zip(start, end)], **options, buttons=1)
    self.mouse("mouseReleased", places[-1], **options, buttons=0)

  def touch(self, kind, *places):
    """Sends a touch event of the DevTools protocol, with one finger at each place of the window."""
    self.browser.execute_cdp_cmd(
      "Input.dispatchTouchEvent",
      {"type": kind, "touchPoints": [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]},
    )

  def complaints(self):
    """Returns Chromium's notes since the last call."""
    return [entry["message"] for entry in self.browser.get_log("browser")]
