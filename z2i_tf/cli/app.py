"""Serves a web page for painting unwanted things out of photographs, and the HTTP API behind it.

Only this machine can open the page, unless you give --host and --token. Photographs stay in memory at full size until
newer ones need the room. A temporary folder holds a file only while it is received, read or written.
/api/v1/openapi.json describes the API.
"""

import urllib.parse
import webbrowser

from absl import flags

from z2i_tf.cli.flags import filling_flags
from z2i_tf.cli.flags import mask_flags

_HOST = "127.0.0.1"
# Memory for all photographs and their undo histories.
_MAX_BYTES = 4 * 2**30
_MAX_SESSIONS = 256  # Each takes a server thread.


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_integer(
    "port", 8090, "Port of the page; 0 = any free one.", lower_bound=0, upper_bound=65535, flag_values=values
  )
  flags.DEFINE_string(
    "host", _HOST, "Address to bind to. An address that other machines reach needs --token.", flag_values=values
  )
  flags.DEFINE_string(
    "token",
    None,
    "Secret that every request must carry. Open /?token=TOKEN once, or send Authorization: Bearer TOKEN.",
    flag_values=values,
  )
  flags.DEFINE_bool("open", False, "Open the page in this machine's browser.", flag_values=values)
  mask_flags.define_max_pixels_flag(values)
  flags.DEFINE_integer(
    "max_sessions",
    20,
    "Maximum number of photographs to keep; a new one replaces the least recently used.",
    lower_bound=1,
    upper_bound=_MAX_SESSIONS,
    flag_values=values,
  )
  filling_flags.define_model_choice_flag(values)
  filling_flags.define_precision_flag(values)


def run(values: flags.FlagValues) -> None:
  from z2i_tf.web import application

  application.check_access(values.host, values.token)
  from z2i_tf.web.server import Server

  with Server(values.host, values.port) as server:  # Fails at once if the port is taken.
    from z2i_tf.app.server import AppServer
    from z2i_tf.inference.inpainter import Inpainter
    from z2i_tf.system import memory
    from z2i_tf.system.preemption import asked_to_stop

    memory.share_allocator()
    app = AppServer(
      Inpainter.load(values.model, values.precision), values.model, values.max_pixels, values.max_sessions, _MAX_BYTES
    )
    try:
      with asked_to_stop() as stop_request:
        app.serve(server, values.token)
        address = server.url + (f"?token={urllib.parse.quote(values.token, safe='')}" if values.token else "")
        reach = "on this machine only" if server.host in application.LOOPBACK else f"on {values.host}, with its token"
        print(f"z2i app: {server.url} ({reach}; Ctrl-C ends)", flush=True)
        if values.open:
          webbrowser.open(address)
        server.wait_until(lambda: stop_request.signal is not None)
    finally:
      app.close()
