"""What the server of pages refuses before it answers anything."""

import pytest

from z2i_tf.errors import InputError
from z2i_tf.web.server import Server


def test_two_servers_do_not_share_a_port():
  """Even before one of them answers: loading a model takes a while."""
  with Server("127.0.0.1", 0) as first, pytest.raises(InputError, match=f"`port`={first.port}: cannot be used"):
    Server("127.0.0.1", first.port)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..b", "no.such.host.invalid"])
def test_a_host_that_is_none(host):
  with pytest.raises(InputError, match=f"`host`={host}: not an address of this machine"):
    Server(host, 0)


def test_a_machine_without_the_address_family(monkeypatch):
  def refuse(*_):
    raise OSError(97, "Address family not supported by protocol")

  monkeypatch.setattr("socket.socket", refuse)
  with pytest.raises(InputError, match="`host`=::1: not an address of this machine .*Address family"):
    Server("::1", 0)
