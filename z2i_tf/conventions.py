"""Conventions shared by every part: value range, mask polarity, names of batches and outputs.

* Images are RGB, (B, H, W, 3), float32 in [0, 1] inside the library and uint8 at its borders.
* Masks are (B, H, W, 1), float32, exactly 0 or 1. 1 marks the hole, 0 the known pixels.
* `lr` is the working resolution, `hr` is `lr * scale`.
"""

# Sides (pixels) inside the networks are multiples of this: two max-pools, then attention at half size.
SIZE_MULTIPLE = 8

# Lowest value, 0 to 255, of a mask file's pixels that counts as hole.
HOLE_LEVEL = 128

# Zoom factor of the paper: `hr` is twice `lr`.
DEFAULT_SCALE = 2

# Keys of a batch.
IMAGE_LR = "image_lr"
IMAGE_HR = "image_hr"
MASK_LR = "mask_lr"

# Names of the outputs of the networks, in order; the same in TensorBoard, dumps and reports.
COARSE = "coarse"
ZOOMED = "zoomed"
REFINED = "refined"
COMPOSED_HR = "composed_hr"  # Training only: it needs the high-resolution label.
ZOOMED_OUT = "zoomed_out"
RESULT = "result"
OUTPUTS = (COARSE, ZOOMED, REFINED, COMPOSED_HR, ZOOMED_OUT, RESULT)

# Names of the networks, as in weight files and checkpoints.
COARSE_NET = "coarse"
SR_NET = "sr"
REFINE_NET = "refine"
DISCRIMINATOR = "disc"
# Selects all networks where weights are chosen by network.
ALL_NETWORKS = "all"

# Former names of settings -> present ones.
FORMER_SETTINGS = {"vgg_weights": "perceptual_weights"}
