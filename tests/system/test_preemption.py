import signal
import threading

import pytest

from z2i_tf.system.preemption import asked_to_stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_remembered_and_announced_once(capfd, number):
  before = signal.getsignal(number)
  with asked_to_stop("saving first") as stop_request:
    assert stop_request.signal is None
    signal.raise_signal(number)
    assert stop_request.signal == number and capfd.readouterr().err == "saving first\n"
    signal.raise_signal(signal.SIGTERM)  # Cluster managers repeat it.
    assert stop_request.signal == number and not capfd.readouterr().err
  assert signal.getsignal(number) is before


def test_a_second_ctrl_c_interrupts_at_once():
  with asked_to_stop() as stop_request, pytest.raises(KeyboardInterrupt):
    signal.raise_signal(signal.SIGINT)
    assert stop_request.signal == signal.SIGINT
    signal.raise_signal(signal.SIGINT)


def test_in_other_threads_signals_keep_their_effect():
  before, within = signal.getsignal(signal.SIGTERM), []

  def work():
    with asked_to_stop():
      within.append(signal.getsignal(signal.SIGTERM))

  thread = threading.Thread(target=work)
  thread.start()
  thread.join()
  assert within == [before]
