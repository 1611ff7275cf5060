"""Chromium without a window, driven by Selenium, for the tests of pages; where it is missing, skips with the remedy."""

import contextlib
import shutil

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="no Selenium; install it with: pip install '.[test]'")

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
