"""`python -m z2i_tf` is `z2i`."""

from z2i_tf.cli.main import run_and_exit

if __name__ == "__main__":
  run_and_exit()
