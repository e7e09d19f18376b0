"""What a trained run has learned, as pictures: reconstructions, latent actions, where its networks look."""
