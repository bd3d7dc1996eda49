"""SQL statements without the values in them: what spans, breadcrumbs and log lines may show."""

import re
from functools import lru_cache

VALUE = "?"
"""Stands for a literal and for a positional parameter."""

UNREADABLE = "(not shown)"
"""Stands for the rest of a statement in which values cannot be told from names."""

LONGEST_SHAPE = 2_000
LONGEST_STATEMENT = 100_000
"""Characters. A longer statement is not looked through."""

_SHAPES_KEPT = 512
_VERB = re.compile(
    r"(?:ALTER|ANALYZE|BEGIN|CALL|COMMIT|COPY|CREATE|DELETE|DROP|EXECUTE|EXPLAIN|GRANT|INSERT|LOCK|MERGE|PRAGMA|REFRESH"
    r"|RELEASE|REPLACE|REVOKE|ROLLBACK|SAVEPOINT|SELECT|SET|SHOW|TRUNCATE|UPDATE|VACUUM|VALUES|WITH)\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\r\n]* (?= \r?\n | \Z ) | /\* (?: [^*/] | \*(?!/) | /(?!\*) )* \*/ )
    | (?P<value>
          (?: [BbEeNnXx] | [Uu]& )? ' (?: [^'\\] | '' )* '
        | \$ (?P<tag> (?: [A-Za-z_]\w* )? ) \$ .*? \$ (?P=tag) \$
        | (?: 0[xX][0-9A-Fa-f]+ | (?: \d [\d_]* (?: \.\d* )? | \.\d+ ) (?: [eE][+-]?\d+ )? ) (?! [\w$] )
        | \$\d+ | \?
      )
    | (?P<quoted> "(?: [^"\\] | "" )*" | `[^`\\]*` )
    | (?P<parameter> (?<! : ) : [A-Za-z_]\w* | % \( \w+ \) s | %s )
    | (?P<word> [^\W\d] [\w$]* )
    | (?P<sign> :: | /(?!\*) | -(?!-) | [()\[\],;.=<>!+*%^&|~:@] )
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"[\"`][A-Za-z_]\w{0,62}[\"`]")
# Behind one of these stands a name and never a value.
_BEFORE_NAMES = frozenset({"AS", "FROM", "INTO", "JOIN", "TABLE", "UPDATE", "."})
_TRUTHS = frozenset({"TRUE", "FALSE"})
# Behind one of these stands the value of a setting, also without quotes.
_SETTING = frozenset({"SET", "PRAGMA"})
_BEFORE_SETTINGS = frozenset({"=", "TO", "("})
_LISTS = re.compile(r"\?(?: ?, ?\?)+")
_ROWS = re.compile(r"\( ?\? ?\)(?: ?, ?\( ?\? ?\))+")


@lru_cache(_SHAPES_KEPT)
def statement_shape(statement: str) -> str:
    """Return a statement without literals and comments, and with lists of values cut to one.

    Strings, numbers and truth values become ``?``. A name in double quotes stays where only a name can stand: SQLite
    takes such a text for a string elsewhere. Names without quotes stay. Where anything is not plain, such as a quote
    that is not closed or a backslash in a string, which databases read differently, only the verb is left.

    Args:
        statement: SQL in any dialect.
    """
    text = statement.strip()
    if len(text) > LONGEST_STATEMENT:
        return _verb_of(text)
    tokens = _tokens(text)
    if tokens is None:
        return _verb_of(text)
    shape = _ROWS.sub("(?)", _LISTS.sub(VALUE, " ".join("".join(tokens).split())))
    if len(shape) > LONGEST_SHAPE:
        shape = shape[:LONGEST_SHAPE].rpartition(" ")[0] + " …"
    return shape


def _tokens(text: str) -> list[str] | None:
    """Return the parts of a statement, or nothing if one of them cannot be told apart."""
    tokens: list[str] = []
    words = ["", ""]
    verb, is_setting = "", False
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        position = match.end()
        kind, found = match.lastgroup, match[0]
        if kind == "space":
            tokens.append(" ")
            continue
        if kind == "quoted":
            is_name = _comes_name(*words) or text.startswith(".", position)
            found = found if is_name and _NAME.fullmatch(found) else VALUE
        elif kind == "value" or found.upper() in _TRUTHS or (is_setting and kind == "word"):
            found = VALUE
        tokens.append(found)
        words = [words[1], found.upper()]
        verb = "" if found == ";" else verb or words[1]
        is_setting = verb in _SETTING and (is_setting or words[1] in _BEFORE_SETTINGS)
    return tokens


def _comes_name(earlier: str, last: str) -> bool:
    # IS DISTINCT FROM compares.
    return last in _BEFORE_NAMES and (earlier, last) != ("DISTINCT", "FROM")


def _verb_of(text: str) -> str:
    verb = _VERB.match(text)
    return f"{verb[0].upper()} {UNREADABLE}" if verb else UNREADABLE
