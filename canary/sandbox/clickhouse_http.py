"""ClickHouse's HTTP interface as far as its clients use it: requests to statements, results to responses."""

import gzip
import json
import re
import uuid
import zlib
from base64 import b64decode
from binascii import Error as NotBase64

import lz4.frame
import zstandard

from canary.sandbox.clickhouse_engine import EngineError, Result, Statement
from canary.sandbox.httpd import Request, Response, form_fields

_NOT_SETTINGS = frozenset(
    {"query", "query_id", "database", "default_format", "user", "password", "role", "quota_key"}
    | {"session_id", "session_timeout", "session_check", "close_session", "client_protocol_version"}
    | {"compress", "decompress", "buffer_size", "wait_end_of_query", "stacktrace"}
)
_INSERT = re.compile(
    rb"\s*INSERT\s+INTO\s+(?P<target>.*?)\s+FORMAT\s+(?P<format>\w+)[ \t]*(?:;|\r?\n|\s|$)(?P<data>.*)",
    re.IGNORECASE | re.DOTALL,
)
_INSERT_VALUES = re.compile(
    rb"\s*INSERT\s+INTO\s+(?:(?!\bSELECT\b|\bFORMAT\b).)*?\)?\s*VALUES\s*$", re.I | re.S
)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
}
_STATUS_OF_CODE = {159: 408, 164: 500, 194: 401, 192: 403, 193: 403, 497: 403, 516: 403}
_BAD_REQUEST = frozenset({6, 25, 26, 27, 36, 38, 41, 53, 62, 69, 72, 117, 456, 457})
_NOT_FOUND = frozenset({46, 47, 50, 56, 60, 63, 73, 81, 107, 115})


def credentials(request: Request) -> tuple[str, str]:
    """Name and password from ClickHouse's own headers, basic authentication or the URL, in that order."""
    headers, args = request.headers, request.args
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = b64decode(token, validate=True).decode().partition(":")
        except (NotBase64, UnicodeDecodeError):
            raise EngineError(516, "AUTHENTICATION_FAILED", "Invalid HTTP credentials") from None
        return name, password
    return args.get("user", "default"), args.get("password", "")


def statement_of(request: Request, *, readonly: bool) -> Statement:
    """Read query, data, parameters and settings from the URL, a form and the body, as ClickHouse does."""
    args = dict(request.args)
    body = _decompressed(request)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        args |= form_fields(request)
        body = b""
    text = args.get("query", "").encode()
    sql = text + b"\n" + body if text and body else text or body
    if not sql.strip():
        raise EngineError(62, "SYNTAX_ERROR", "Empty query")
    default = args.get("default_format") or request.headers.get("x-clickhouse-format") or "TabSeparated"
    statement, data, format_ = _split(sql, default)
    return Statement(
        sql=statement,
        data=data,
        format=format_,
        database=args.get("database") or request.headers.get("x-clickhouse-database") or "default",
        settings={k: v for k, v in args.items() if k not in _NOT_SETTINGS and not k.startswith("param_")},
        params={k.removeprefix("param_"): v for k, v in args.items() if k.startswith("param_")},
        readonly=readonly or request.method == "GET",
    )


def _split(sql: bytes, default: str) -> tuple[str, bytes | None, str]:
    insert = _INSERT.match(sql)
    if insert and not re.search(rb"\bSELECT\b", insert["target"], re.IGNORECASE):
        return f"INSERT INTO {insert['target'].decode()}", insert["data"], insert["format"].decode()
    text = sql.decode(errors="replace")
    found = _FORMAT.search(text)
    return text, None, found[1] if found else default


def _decompressed(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "identity")
    match encoding:
        case "identity":
            return request.body
        case "gzip":
            return gzip.decompress(request.body)
        case "deflate":
            return zlib.decompress(request.body)
        case "lz4":
            return bytes(lz4.frame.decompress(request.body))
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(request.body)
    raise EngineError(48, "NOT_IMPLEMENTED", f"Unknown compression method: {encoding}")


def _compressed(request: Request, body: bytes) -> tuple[bytes, str | None]:
    if request.args.get("enable_http_compression", "1") not in ("1", "true"):
        return body, None
    accepted = {part.split(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
    if "lz4" in accepted:
        return bytes(lz4.frame.compress(body)), "lz4"
    if "zstd" in accepted:
        return zstandard.ZstdCompressor().compress(body), "zstd"
    if "gzip" in accepted:
        return gzip.compress(body, compresslevel=3), "gzip"
    if "deflate" in accepted:
        return zlib.compress(body), "deflate"
    return body, None


def success(request: Request, statement: Statement, result: Result, common: dict[str, str]) -> Response:
    body, encoding = _compressed(request, result.body)
    summary = {
        "read_rows": result.read_rows,
        "read_bytes": result.read_bytes,
        "written_rows": result.written_rows,
        "written_bytes": result.written_bytes,
        "total_rows_to_read": result.read_rows,
        "result_rows": result.rows or result.written_rows,
        "result_bytes": len(result.body) or result.written_bytes,
        "elapsed_ns": round(result.elapsed.total_seconds() * 1e9),
    }
    headers = {
        **common,
        "Content-Type": _CONTENT_TYPES.get(statement.format, "text/plain; charset=UTF-8"),
        "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
    }
    if statement.data is None and result.body:
        headers["X-ClickHouse-Format"] = statement.format
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(200, body, headers)


def failure(error: EngineError, common: dict[str, str], version: str) -> Response:
    status = _STATUS_OF_CODE.get(
        error.code, 400 if error.code in _BAD_REQUEST else 404 if error.code in _NOT_FOUND else 500
    )
    headers = {
        **common,
        "Content-Type": "text/plain; charset=UTF-8",
        "X-ClickHouse-Exception-Code": str(error.code),
    }
    return Response(status, f"{error} (version {version})\n".encode(), headers)


def common_headers(request: Request, *, server: str, timezone: str) -> dict[str, str]:
    return {
        "X-ClickHouse-Server-Display-Name": server,
        "X-ClickHouse-Timezone": timezone,
        "X-ClickHouse-Query-Id": request.args.get("query_id") or str(uuid.uuid4()),
    }
