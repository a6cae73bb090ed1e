"""The post's network written by hand in PyTorch: `nn.GRU` or `nn.LSTM`, two layers in encoder and decoder.

    python benchmarks/peers/torch_peer.py step
    python benchmarks/peers/torch_peer.py latency --cell lstm

Tasks and options are those of common.py.
"""

import torch
from common import Peer, main
from torch import nn


class EncoderDecoder(nn.Module):
    """A decoder that starts from the encoder's states and reads zeros."""

    def __init__(self, arguments):
        super().__init__()
        layer = {"gru": nn.GRU, "lstm": nn.LSTM}[arguments.cell]
        self.horizon = arguments.horizon
        self.encoder = layer(1, arguments.width, arguments.depth, batch_first=True)
        self.decoder = layer(1, arguments.width, arguments.depth, batch_first=True)
        self.head = nn.Linear(arguments.width, 1)

    def forward(self, past):
        """Return forecasts `[B, H, 1]` of `[B, T, 1]`."""
        _, states = self.encoder(past)
        decoded, _ = self.decoder(past.new_zeros(len(past), self.horizon, 1), states)
        return self.head(decoded)


class TorchPeer(Peer):
    """The post's network in PyTorch, with a training loop of its own."""

    def __init__(self, arguments):
        torch.manual_seed(arguments.seed)
        self.batch = arguments.batch
        self.model = EncoderDecoder(arguments)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=arguments.learning_rate)

    def train(self, past, future, epochs, after_epoch):
        """Train on data put into a new order each epoch."""
        inputs = torch.from_numpy(past)
        targets = torch.from_numpy(future)
        for _ in range(epochs):
            order = torch.randperm(len(inputs))
            after_epoch(self.epoch(inputs[order], targets[order]))

    def epoch(self, past, future):
        """Take a step with each batch and return the mean loss."""
        total = torch.zeros(())
        for inputs, targets in zip(past.split(self.batch), future.split(self.batch), strict=True):
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model(inputs), targets)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(inputs)
        return total.item() / len(past)

    @torch.inference_mode()
    def forecast(self, past):
        """Return forecasts without a tape of gradients."""
        return self.model(torch.from_numpy(past)).numpy()


if __name__ == "__main__":
    main(TorchPeer, __doc__)
