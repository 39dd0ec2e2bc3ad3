"""The hot loop's parts: instances read, digested and sent from reused buffers, one at a time over one association.

While the destination works on one instance, the next is read into the other of two buffers.
"""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple, Protocol, Self

from transfers.errors import SourceFileChanged, UnexpectedAnswer
from transfers.wire.association import Association
from transfers.wire.digests import Digest, Digester
from transfers.wire.pdu import DATA, LAST_DATA, fragment_headers, framed_command
from transfers.wire.store_messages import StoreResponse, encode_store_request, read_store_response
from transfers.wire.transport import MOST_BUFFERS, Buffer

BUFFER_SIZE = 1_048_576
_MOST_FRAGMENTS = MOST_BUFFERS // 2 - 1
_HIGHEST_MESSAGE_ID = 65_535


class InstanceReader(Protocol):
    """Where a data set comes from, byte for byte as its file encodes it."""

    def readinto(self, buffer: memoryview) -> int:
        """Put the next bytes into the buffer; how many, and 0 at the end."""
        ...

    def check_unchanged(self) -> None:
        """Raise SourceFileChanged where the file is not what the manifest found."""
        ...

    def close(self) -> None: ...


class Outgoing(NamedTuple):
    """What is to be sent."""

    sop_class_uid: str
    sop_instance_uid: str
    size: int
    """Of the data set, in bytes."""


class LoadedInstance:
    """An instance of which at least the beginning is in a buffer."""

    def __init__(self, what: Outgoing, reader: InstanceReader, buffer: FragmentBuffer, digest: Digest) -> None:
        self.what = what
        self.reader = reader
        self.buffer = buffer
        self.message_id = 0
        self.digest = digest
        """Of the data set as in the file, without a byte of padding; complete once all is sent."""
        self.left = what.size
        """How many bytes of the data set were not read yet."""
        self.filled = 0
        """How many bytes wait in the buffer."""

    def fill(self) -> None:
        """Read as much as the buffer holds; once all is read, make sure that the file is still what it was.

        Raises SourceFileChanged or SourceFileUnreadable. The reader is closed when all is read, or nothing can be.
        """
        try:
            self._read(min(self.left, self.buffer.size))
            if not self.left:
                self.reader.check_unchanged()
                self.reader.close()
        except BaseException:
            self.reader.close()
            raise

    def close(self) -> None:
        """Give up what was not read yet. May be called more than once."""
        self.reader.close()

    @property
    def is_padded(self) -> bool:
        """Whether a null byte was added so that the last fragment is even."""
        return self.what.size % 2 == 1

    def _read(self, wanted: int) -> None:
        view = self.buffer.take_over(self.digest)
        filled = 0
        while filled < wanted:
            length = self.reader.readinto(view[filled:wanted])
            if not length:
                raise SourceFileChanged
            filled += length
        self.digest.add(view[:filled])
        self.left -= filled
        self.filled = filled


class FragmentBuffer:
    """A buffer that is sent as fragments, and digested, without being copied."""

    def __init__(self, fragment_size: int) -> None:
        count = max(1, min(BUFFER_SIZE // fragment_size, _MOST_FRAGMENTS))
        self._fragment_size = fragment_size
        self.size = count * fragment_size
        self.view = memoryview(bytearray(self.size))
        starts = range(0, self.size, fragment_size)
        self._fragments: list[Buffer] = [self.view[start : start + fragment_size] for start in starts]
        self._digest: Digest | None = None

    def take_over(self, digest: Digest) -> memoryview:
        """Return the buffer to be filled and added to this digest, once the last one has what it needs of it."""
        if self._digest is not None:
            self._digest.settle()
        self._digest = digest
        return self.view

    def framed(self, context_id: int, length: int, *, is_last: bool) -> list[Buffer]:
        """Return the first so many bytes as P-DATA-TF PDUs of one fragment each; an odd last one is padded."""
        if length % 2:
            self.view[length] = 0
            length += 1
        count = (length - 1) // self._fragment_size
        header = fragment_headers(context_id, DATA, self._fragment_size)
        framed: list[Buffer] = [header] * (2 * count)
        framed[1::2] = self._fragments[:count]
        start = count * self._fragment_size
        framed.append(fragment_headers(context_id, LAST_DATA if is_last else DATA, length - start))
        framed.append(self.view[start:length])
        return framed


class StoreChannel:
    """C-STORE over one association: load, send, receive the response, one instance after another.

    A context manager; the association stays the caller's.
    """

    def __init__(self, association: Association) -> None:
        self._digester = Digester()
        self._association = association
        self._buffers = [FragmentBuffer(association.fragment_size), FragmentBuffer(association.fragment_size)]
        self._message_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._digester.close()

    def load(self, what: Outgoing, reader: InstanceReader) -> LoadedInstance:
        """Read the beginning of an instance into the buffer that the last one loaded, still on its way, does not use.

        Raises SourceFileChanged or SourceFileUnreadable; the reader is closed then.
        """
        loaded = LoadedInstance(what, reader, self._buffers[1], Digest(self._digester))
        loaded.fill()
        self._buffers.reverse()
        return loaded

    def send(self, loaded: LoadedInstance, context_id: int) -> None:
        """Write the C-STORE request with its data set.

        The last fragment is written only after all was read and the file found unchanged: where SourceFileChanged
        or SourceFileUnreadable is raised, the destination cannot have stored the instance, and the association is
        to be aborted. Raises AssociationError.
        """
        self._message_id = loaded.message_id = self._message_id % _HIGHEST_MESSAGE_ID + 1
        command = encode_store_request(loaded.what.sop_class_uid, loaded.what.sop_instance_uid, loaded.message_id)
        write = self._association.write
        buffers: list[Buffer] = [*framed_command(context_id, command, self._association.fragment_size)]
        while loaded.left:
            write(buffers + loaded.buffer.framed(context_id, loaded.filled, is_last=False))
            loaded.fill()
            buffers = []
        write(buffers + loaded.buffer.framed(context_id, loaded.filled, is_last=True))
        self._association.acknowledge_quickly()

    def receive_response(self, sent: LoadedInstance) -> StoreResponse:
        """Wait for the response. Raises AssociationError; UnexpectedAnswer where it belongs to another instance."""
        response = read_store_response(self._association.receive_encoded().command_set)
        if response.message_id != sent.message_id:
            raise UnexpectedAnswer(
                f"The destination answered message {response.message_id} where message {sent.message_id} was sent."
            )
        if response.sop_instance_uid and response.sop_instance_uid != sent.what.sop_instance_uid:
            raise UnexpectedAnswer("The destination's answer names another SOP Instance UID than was sent.")
        return response
