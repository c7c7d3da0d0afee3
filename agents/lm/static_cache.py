"""One block of memory for the keys and values of a running batch, written in place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from transformers.cache_utils import Cache


class Shape(NamedTuple):
    """What one token costs in keys and values.

    Attributes:
        layers: Number of layers; all have the same shape.
        heads: Key-value heads.
        width: Width of a head.
        dtype: Of keys and values.
        device: Where they are.
    """

    layers: int
    heads: int
    width: int
    dtype: torch.dtype
    device: torch.device

    @property
    def token_bytes(self) -> int:
        """Bytes of one token."""
        return self.layers * 2 * self.heads * self.width * self.dtype.itemsize


class StaticKV(Cache):
    """Keys and values of a batch of sequences, each at the columns of its positions.

    Token ``p`` of every row stands in column ``p``: rows have no padding, and whatever stands
    beyond a row's length is masked out by the caller. The memory is kept from batch to batch, and
    never holds anything that is not a number.

    Args:
        shape: What one token costs.

    Attributes:
        kv: ``[layers, 2, rows, heads, columns, width]``, after ``open``.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__(layers=[])
        self.shape = shape
        self._memory = torch.zeros(0, dtype=shape.dtype, device=shape.device)
        self.kv = self._memory
        self._views: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._rows = self._columns = self._places = torch.zeros(0, dtype=torch.long)
        self._decoding = True

    def open(self, rows: int, columns: int) -> None:
        """Makes room for a new batch; forgets the one before."""
        shape = self.shape
        need = shape.layers * 2 * rows * shape.heads * columns * shape.width
        if need > self._memory.numel():
            self.close()  # before more is taken
            self._memory = _zeros(need, shape)
        self.kv = self._memory[:need].view(shape.layers, 2, rows, shape.heads, columns, shape.width)

    def close(self) -> None:
        """Gives the memory back."""
        self._views = []
        self._memory = self.kv = torch.zeros(0, dtype=self.shape.dtype, device=self.shape.device)

    def load(self, row: int, kv: torch.Tensor, length: int) -> None:
        """Writes the first ``length`` tokens of a session to a row."""
        self.kv[:, :, row, :, :length].copy_(kv[:, :, :, :length])

    def save(self, row: int, length: int) -> torch.Tensor:
        """Returns a copy of the first ``length`` tokens of a row."""
        return self.kv[:, :, row, :, :length].clone(memory_format=torch.contiguous_format)

    def move(self, source: int, target: int, length: int) -> None:
        """Copies the first ``length`` tokens of a row to another row."""
        self.kv[:, :, target, :, :length].copy_(self.kv[:, :, source, :, :length])

    def aim_step(self, count: int, columns: torch.Tensor, width: int) -> None:
        """The next forward pass has one token for each of the first ``count`` rows.

        Args:
            count: Number of rows.
            columns: Where each token goes, of shape ``[count]``.
            width: Columns that are attended to.
        """
        self._decoding = True
        self._rows = torch.arange(count, device=columns.device)
        self._columns = columns
        self._view(0, count, width)

    def aim_block(
        self,
        first: int,
        last: int,
        where: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        width: int,
    ) -> None:
        """The next forward pass has several tokens for each of the rows ``first`` to ``last``.

        Args:
            first: First row.
            last: Row after the last one.
            where: For every token that counts: its row (from ``first``), its place in the row of
                inputs, and its column.
            width: Columns that are attended to.
        """
        self._decoding = False
        self._rows, self._places, self._columns = where
        self._view(first, last, width)

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes new keys and values ``[rows, heads, tokens, width]``; called by the model."""
        keys, values = self._views[layer_idx]
        if self._decoding:
            keys[self._rows, :, self._columns] = key_states[:, :, 0]
            values[self._rows, :, self._columns] = value_states[:, :, 0]
        else:
            where = (self._rows, slice(None), self._places)
            keys[self._rows, :, self._columns] = key_states[where]
            values[self._rows, :, self._columns] = value_states[where]
        return keys, values

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions are always given, so nobody must rely on this."""
        return 0

    def _view(self, first: int, last: int, width: int) -> None:
        block = self.kv[:, :, first:last, :, :width]
        self._views = [(layer[0], layer[1]) for layer in block.unbind(0)]


def _zeros(count: int, shape: Shape) -> torch.Tensor:
    """Takes memory; on the CPU twice as much, since pages that nobody touches cost nothing.

    It has to be zero: what is masked out gets the weight 0, and 0 times NaN is NaN.
    """
    if shape.device.type != "cpu":
        return torch.zeros(count, dtype=shape.dtype, device=shape.device)
    pages = np.zeros(2 * count * shape.dtype.itemsize, np.uint8)  # torch.zeros would touch them
    return torch.from_numpy(pages).view(shape.dtype)
