"""What ``fit`` learns about inputs and targets: frozen values that read, and turn into tensors."""
