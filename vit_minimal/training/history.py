"""What a training run did, epoch by epoch."""

from dataclasses import dataclass, field


@dataclass
class History:
    """What a run did: one entry per epoch in each list."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)  # on augmented images, 0 … 1
    validation_accuracy: list[float] = field(default_factory=list)  # empty without validation
    seconds: list[float] = field(default_factory=list)

    def plot(self):
        """Draw the loss, and the accuracies, over the epochs."""
        from ..plots import show_lines  # training itself needs no matplotlib

        epochs = range(1, len(self.train_loss) + 1)
        show_lines(epochs, {"training loss": self.train_loss}, "epoch", "loss")
        accuracies = {"training, as augmented": self.train_accuracy}
        if self.validation_accuracy:
            accuracies["validation"] = self.validation_accuracy
        show_lines(epochs, accuracies, "epoch", "accuracy")

    def last_line(self, epochs, num_images):
        """The epoch that ended last, in a line; `num_images` is how many it trained on."""
        done, seconds = len(self.seconds), self.seconds[-1]
        accuracy = f"accuracy {self.train_accuracy[-1]:.1%}"
        if self.validation_accuracy:
            accuracy += f", validation {self.validation_accuracy[-1]:.1%}"
        left = sum(self.seconds) / done * (epochs - done)
        return (
            f"epoch {done:>{len(str(epochs))}}/{epochs}: loss {self.train_loss[-1]:.3f}, "
            f"{accuracy}, {num_images / seconds:,.0f} images/s, {left:.0f} s left"
        )
