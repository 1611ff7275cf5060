from z2i_tf.cli import messages


def test_arguments_are_printed_as_flags():
  assert messages.with_flags("take smaller crops (`crop_size`), a`b") == "take smaller crops (--crop_size), a`b"


def test_the_summary_counts(capsys):
  assert messages.print_outcome(["x: broken", "y: broken", "z: broken"], 20, 5, ["a: a remark"])
  captured = capsys.readouterr()
  assert captured.out == "a: a remark\n12 of 20 images inpainted, 5 already there, 3 failed\n"
  assert captured.err == "failed: x: broken\nfailed: y: broken\nfailed: z: broken\n"
  assert not messages.print_outcome([], 3, output="filled", notes=["2.0 s"])
  assert capsys.readouterr().out == "3 of 3 images inpainted: filled\n2.0 s\n"
