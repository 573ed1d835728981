"""Signatures, encryption and XML of WeChat's callbacks, as bytes and strings; nothing here knows what a message means.

Source: https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption (encryption of callbacks) and its
neighbour on message push (signature); Tencent's published samples, whose vectors are in `tests/vectors/wechat.json`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

BODY_LIMIT_BYTES = 65_536
# Padding goes to blocks of 32 bytes, not to the 16 of AES.
_BLOCK_BYTES = 32
_RANDOM_BYTES = 16
_LENGTH_BYTES = 4
_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")
_DECLARATIONS = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)
# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class CodecError(Exception):
    """A callback that is refused: `signature`, `stale`, `too_long`, `xml`, `base64`, `cipher`, `receiver` or `mode`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def sign(*parts: str) -> str:
    """The signature over these values, which are sorted as strings: SHA-1 in lower-case hex."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def check_signature(signature: str, *parts: str) -> None:
    """Compare in constant time.

    Raises:
        CodecError: `signature`.
    """
    if not hmac.compare_digest(signature.encode(), sign(*parts).encode()):
        raise CodecError("signature")


class Crypt:
    """Encryption for one receiver (the AppID), with the present key first and the keys before it after."""

    def __init__(self, encoding_keys: Sequence[str], receiver: str) -> None:
        """Make it.

        Args:
            encoding_keys: EncodingAESKey of 43 letters and digits each; the first one encrypts what answers nothing.
            receiver: What stands behind each message: the AppID (a CorpID in WeCom).

        Raises:
            ValueError: a key has another shape, or there is none.
        """
        if not encoding_keys or not all(_AES_KEY.fullmatch(key) for key in encoding_keys):
            raise ValueError("an EncodingAESKey has 43 letters and digits")
        # The last sign carries four bits too many; Tencent's own keys set them.
        self._keys = [base64.b64decode(key + "=") for key in encoding_keys]
        self._receiver = receiver.encode()

    def encrypt(self, plain: str, key_number: int = 0, *, random16: bytes | None = None) -> str:
        """The text as base64.

        Args:
            plain: Text.
            key_number: Which key; an answer takes the one that opened the question.
            random16: The first 16 bytes; by default random.
        """
        message = plain.encode()
        raw = (random16 or secrets.token_bytes(_RANDOM_BYTES)) + struct.pack(">I", len(message))
        raw += message + self._receiver
        count = _BLOCK_BYTES - len(raw) % _BLOCK_BYTES
        encryptor = self._cipher(key_number).encryptor()
        return base64.b64encode(encryptor.update(raw + bytes([count]) * count) + encryptor.finalize()).decode()

    def decrypt(self, cipher: str) -> tuple[str, int]:
        """The text, and the number of the key that opened it.

        Raises:
            CodecError: `base64`, `cipher` (no key fits or it was changed), `receiver` (another account's).
        """
        try:
            raw = base64.b64decode(cipher, validate=True)
        except (binascii.Error, ValueError) as error:
            raise CodecError("base64") from error
        if not raw or len(raw) % _BLOCK_BYTES:
            raise CodecError("cipher")
        codes = []
        for number in range(len(self._keys)):
            try:
                return self._open(raw, number), number
            except CodecError as error:
                codes.append(error.code)
        raise CodecError("receiver" if "receiver" in codes else "cipher")

    def _open(self, raw: bytes, number: int) -> str:
        decryptor = self._cipher(number).decryptor()
        padded = decryptor.update(raw) + decryptor.finalize()
        count = padded[-1]
        if not 1 <= count <= _BLOCK_BYTES or padded[-count:] != bytes([count]) * count:
            raise CodecError("cipher")
        body = padded[_RANDOM_BYTES:-count]
        length = struct.unpack(">I", body[:_LENGTH_BYTES])[0] if len(body) >= _LENGTH_BYTES else len(body)
        end = _LENGTH_BYTES + length
        if end > len(body):
            raise CodecError("cipher")
        try:
            text = body[_LENGTH_BYTES:end].decode()
        except UnicodeDecodeError as error:
            raise CodecError("cipher") from error
        if not hmac.compare_digest(body[end:], self._receiver):
            raise CodecError("receiver")
        return text

    def _cipher(self, number: int) -> Cipher[modes.CBC]:
        key = self._keys[number]
        return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def parse_xml(body: bytes | str) -> dict[str, str]:
    """The fields of a flat message by name, those inside others as `Outer.Inner`; the first of a name counts.

    Raises:
        CodecError: `too_long`; `xml` when it is no `<xml>` element, not well-formed or declares anything.
    """
    data = body.encode() if isinstance(body, str) else body
    if len(data) > BODY_LIMIT_BYTES:
        raise CodecError("too_long")
    # In another encoding a declaration would hide from the search; WeChat writes UTF-8 alone.
    if b"\0" in data or _DECLARATIONS.search(data):
        raise CodecError("xml")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        encoding="utf-8",
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise CodecError("xml") from error
    if root.tag != "xml":
        raise CodecError("xml")
    fields: dict[str, str] = {}
    for child in root:
        fields.setdefault(str(child.tag), child.text or "")
        for inner in child:
            fields.setdefault(f"{child.tag}.{inner.tag}", inner.text or "")
    return fields


def build_xml(fields: Mapping[str, str | int]) -> str:
    """A flat message. What XML cannot hold is left out of the values."""
    root = etree.Element("xml")
    for name, value in fields.items():
        etree.SubElement(root, name).text = _NOT_XML.sub("", str(value))
    return str(etree.tostring(root, encoding="unicode"))


def text_reply(*, to: str, account: str, text: str, created_at: int) -> str:
    """A passive reply of text.

    Args:
        to: openid of the resident.
        account: Original id of the account (`gh_…`).
        text: What the resident reads.
        created_at: Seconds since 1970.
    """
    return build_xml(
        {"ToUserName": to, "FromUserName": account, "CreateTime": created_at, "MsgType": "text", "Content": text}
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A callback that was checked: its fields, and the key that opened it (None: it came plain)."""

    fields: Mapping[str, str]
    key_number: int | None


class Codec:
    """Checks, opens and answers the callbacks of one account.

    `mode` is what the account is set to: `safe` takes encrypted bodies alone, so that nobody can fall back to plain
    ones; `compatible` takes what is encrypted in a body that also holds it plain; `plain` takes plain bodies, whose
    signature does not cover them.
    """

    def __init__(self, *, token: str, mode: str, crypt: Crypt | None, skew_seconds: int = 300) -> None:
        """Make it.

        Raises:
            ValueError: the mode needs a key.
        """
        if mode != "plain" and crypt is None:
            raise ValueError("this mode needs an EncodingAESKey")
        self._token = token
        self._mode = mode
        self._crypt = crypt
        self._skew_seconds = skew_seconds

    def check_address(self, query: Mapping[str, str], *, now: float) -> str:
        """The `echostr` by which WeChat verifies the address.

        Raises:
            CodecError: `signature` or `stale`.
        """
        self._check_query(query, now)
        return query.get("echostr", "")

    def open(self, query: Mapping[str, str], body: bytes, *, now: float) -> Opened:
        """The message in a callback.

        Args:
            query: Parameters of the address.
            body: At most `BODY_LIMIT_BYTES`.
            now: Seconds since 1970; older or newer callbacks are refused.

        Raises:
            CodecError: it is not what WeChat sends to this account in this mode.
        """
        self._check_query(query, now)
        is_encrypted = query.get("encrypt_type", "raw") == "aes"
        if is_encrypted == (self._mode == "plain"):
            raise CodecError("mode")
        fields = parse_xml(body)
        if self._crypt is None or not is_encrypted:
            return Opened(fields, None)
        cipher = fields.get("Encrypt", "")
        check_signature(query.get("msg_signature", ""), self._token, query["timestamp"], query["nonce"], cipher)
        # In compatible mode the plain fields beside it are not signed, so only what is encrypted counts.
        plain, key_number = self._crypt.decrypt(cipher)
        return Opened(parse_xml(plain), key_number)

    def seal(self, reply: str, key_number: int | None, *, now: float) -> str:
        """The reply as it is sent: in the envelope of the key that opened the question, or plain."""
        if self._crypt is None or key_number is None:
            return reply
        cipher = self._crypt.encrypt(reply, key_number)
        timestamp, nonce = str(int(now)), secrets.token_hex(8)
        signature = sign(self._token, timestamp, nonce, cipher)
        return build_xml({"Encrypt": cipher, "MsgSignature": signature, "TimeStamp": timestamp, "Nonce": nonce})

    def _check_query(self, query: Mapping[str, str], now: float) -> None:
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        check_signature(query.get("signature", ""), self._token, timestamp, nonce)
        # The signature holds, so WeChat or somebody with an old address wrote it.
        if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > self._skew_seconds:
            raise CodecError("stale")
