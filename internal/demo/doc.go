// Package demo is the model embedded in the program: a miniature FLUX.1,
// trained from scratch on rendered scenes of spheres, cubes, cylinders and
// cones, 256×256 pixels. scripts/train_demo says how it was made.
package demo
