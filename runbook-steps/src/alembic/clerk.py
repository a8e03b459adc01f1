# Asks alembic by its own interface, and answers in one line of JSON. The line before this one sets ORDERS.
import contextlib, io, json, linecache, os, re, sys, time, traceback

orders = json.loads(ORDERS)
# Whatever a migration prints is no answer.
answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.stdin = open(os.devnull)
os.environ.update(orders["env"])

LOCK = 0x72756E626F6F6B  # "runbook"

SHAPE = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), md5(string_agg(
    a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull, ',' ORDER BY a.attname))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
GROUP BY 1
UNION ALL
SELECT 'type ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname), md5(string_agg(e.enumlabel, ',' ORDER BY e.enumlabel))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY 1
"""

DETAILS = """
SELECT of, md5(string_agg(what, ',' ORDER BY what)) FROM (
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS of, indexdef AS what FROM pg_indexes
    UNION ALL
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname || ' ' || pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum
) AS all_of_it WHERE left(of, 3) <> 'pg_' AND left(of, 19) <> 'information_schema.' GROUP BY 1
"""


class Trouble(Exception):
    def __init__(self, kind, said="", revisions=()):
        super().__init__(said)
        self.told = {"kind": kind, "said": said, "revisions": list(revisions)}


class Again(Exception):
    """Somebody else is at it."""


def configured():
    from alembic.config import CommandLine

    class Told(CommandLine):
        def run_cmd(self, config, options):
            self.config = config

    told = Told()
    file = ["-c", orders["config"]] if orders["config"] else []
    told.main([*file, "current"])
    return told.config


def place(url):
    def of(key):
        value = url.query.get(key)
        return value[0] if isinstance(value, tuple) else value

    return (of("host") or url.host or "", str(of("port") or url.port or 5432), url.database)


class Clerk:
    def __init__(self):
        from alembic.script import ScriptDirectory

        self.config = configured()
        self.script = ScriptDirectory.from_config(self.config)
        self.ran, self.running = [], None

    # The code.

    def find(self, word):
        from alembic.util import CommandError

        try:
            found = self.script.get_revision(word)
        except CommandError as error:
            if word == "head" and len(self.script.get_heads()) > 1:
                raise Trouble("heads", str(error), self.script.get_heads())
            raise Trouble("no_such_revision", str(error), [word])
        if found is None:
            raise Trouble("no_revisions", "", [word])
        return found

    def knows(self, revision):
        try:
            return self.script.get_revision(revision).revision == revision
        except Exception:
            return False

    def between(self, upper, lower):
        """Those that lead from the one to the other, first to last."""
        found = self.script.iterate_revisions(upper, lower, implicit_base=True)
        return list(reversed(list(found)))

    def told(self, script, way=False):
        told = {"revision": script.revision, "title": (script.doc or "").strip().split("\n")[0]}
        if way:
            told["back"] = self.back(script)
        return told

    def emitted(self, function):
        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        text = io.StringIO()
        opts = {"as_sql": True, "output_buffer": text, "literal_binds": True}
        with Operations.context(MigrationContext.configure(dialect_name="postgresql", opts=opts)):
            function()
        return text.getvalue()

    def back(self, script):
        """What is known of the way back, from the SQL that it would run."""
        function = getattr(script.module, "downgrade", None)
        if function is None:
            return {"kind": "missing", "said": "it has no downgrade()"}
        try:
            sql = self.emitted(function)
        except BaseException as error:
            *_, last = traceback.extract_tb(error.__traceback__)
            said = str(error) or type(error).__name__
            mine = os.path.realpath(last.filename) == os.path.realpath(script.path)
            raises = mine and linecache.getline(last.filename, last.lineno).strip().startswith(("raise", "assert"))
            return {"kind": "raises" if raises else "unknown", "said": said.strip().split("\n")[0]}
        if not sql.strip():
            with contextlib.suppress(BaseException):
                if not self.emitted(script.module.upgrade).strip():
                    return {"kind": "works"}
            return {"kind": "empty", "said": "its downgrade() does nothing"}
        columns = re.findall(r"ALTER TABLE (\S+) DROP COLUMN (?:IF EXISTS )?([^\s;]+)", sql)
        tables = re.findall(r"DROP TABLE (?:IF EXISTS )?([^\s;]+)", sql)
        return {"kind": "works", "loses": [".".join(column) for column in columns] + tables}

    # The database.

    def connected(self, work, changes=False):
        """Works with the connection of env.py. Alone, when it changes something."""
        from alembic.runtime.environment import EnvironmentContext

        until = time.monotonic() + orders["patience"]
        while True:
            called = []

            def steps(heads, context):
                called.append(context.connection.engine)
                self.guard(context.connection)
                if orders["patience"] or changes:
                    kind = "" if changes else "_shared"
                    if not context.connection.exec_driver_sql(f"SELECT pg_try_advisory_lock{kind}({LOCK})").scalar():
                        raise Again()
                # It may have been changed before we were alone.
                if set(context.get_current_heads()) != set(heads):
                    raise Again()
                for name in ("lock_timeout", "statement_timeout"):
                    if changes and orders[name]:
                        context.connection.exec_driver_sql(f"SET {name} = {int(orders[name])}")
                return work(tuple(heads), context)

            self.ran, self.running = [], None
            try:
                environment = EnvironmentContext(
                    self.config, self.script, fn=steps, as_sql=False, dont_mutate=not changes
                )
                with environment:
                    self.script.run_env()
                if not called:
                    raise Trouble("no_connection")
                return
            except Again:
                if time.monotonic() > until:
                    raise Trouble("busy")
                time.sleep(0.2)
            finally:
                # The lock lasts as long as the session, which a pool would keep.
                for engine in called:
                    with contextlib.suppress(BaseException):
                        engine.dispose()

    def guard(self, connection):
        from sqlalchemy.engine import make_url

        told, found = make_url(os.environ[orders["variable"]]), connection.engine.url
        if place(told) != place(found):
            host, port, name = place(found)
            raise Trouble("other_database", f"{name} at {host}:{port}")

    def shape(self, context):
        version = context.opts.get("version_table") or "alembic_version"

        def asked(sql):
            rows = context.connection.exec_driver_sql(sql).fetchall()
            return {name: hash for name, hash in rows if name.split(".")[-1] != version}

        return {"tables": asked(SHAPE), "details": asked(DETAILS)}

    def read(self):
        seen = {}

        def work(heads, context):
            seen.update(current=sorted(heads), **self.shape(context))
            return []

        self.connected(work)
        seen["unknown"] = [row for row in seen["current"] if not self.knows(row)]
        return seen

    def watched(self, steps):
        for step in steps:
            self.running = self.told(self.script.get_revision(step.info.up_revision_id))
            began = time.monotonic()
            yield step
            self.ran.append({**self.running, "seconds": time.monotonic() - began})
            self.running = None

    # What can be asked for.

    def look(self):
        seen = self.read()
        seen["heads"] = sorted(self.script.get_heads())
        if orders["target"] and not seen["unknown"]:
            target = self.find(orders["target"])
            seen["target"] = target.revision
            pending = self.between(target.revision, tuple(seen["current"]))
            seen["pending"] = [self.told(one, way=True) for one in pending]
        return seen

    def move(self, steps):
        failed = None
        try:
            self.connected(lambda heads, _: self.watched(steps(heads)), changes=True)
        except Trouble:
            raise
        except BaseException as error:
            failed = {"migration": self.running, "error": words(error)}
        moved = {"ran": self.ran, "failed": failed}
        with contextlib.suppress(BaseException):
            moved["now"] = self.read()
            if orders["forward"]:
                pending = self.between(orders["target"], tuple(moved["now"]["current"]))
                moved["now"]["pending"] = [self.told(one) for one in pending]
        return moved

    def upgrade(self):
        return self.move(lambda heads: self.script._upgrade_revs(orders["target"], heads))

    def downgrade(self):
        target = orders["target"] or "base"
        return self.move(lambda heads: self.script._downgrade_revs(target, heads))

    def stamp(self):
        target = orders["target"] or "base"
        steps = lambda heads: self.script._stamp_revs(target, heads)
        self.connected(lambda heads, _: steps(heads), changes=True)
        return self.read()

    def applied(self):
        """Those that a downgrade to the target would take back, last first."""
        seen = self.read()
        if seen["unknown"]:
            return {**seen, "pending": []}
        lower = orders["target"] or "base"
        found = self.script.iterate_revisions(tuple(seen["current"]), lower, select_for_downgrade=True)
        return {**seen, "pending": [self.told(one, way=True) for one in found]}

    def path(self):
        target = self.find(orders["target"] or "head").revision
        return [self.told(one, way=True) for one in self.between(target, orders["from"] or "base")]

    def heads(self):
        return [self.told(self.script.get_revision(one)) for one in sorted(self.script.get_heads())]

    def history(self):
        def told(one):
            down = one.down_revision or ()
            down = [down] if isinstance(down, str) else list(down)
            return {**self.told(one), "after": down, "head": one.is_head, "file": one.path}

        return [told(one) for one in self.script.walk_revisions()]

    def show(self):
        one = self.find(orders["target"])
        with open(one.path, encoding="utf-8") as file:
            source = file.read()
        return {**self.told(one, way=True), "file": one.path, "source": source}

    def sql(self):
        from alembic.runtime.environment import EnvironmentContext

        text = io.StringIO()
        self.config.output_buffer = text
        start, target = orders["from"] or "base", orders["target"] or "base"
        forward = orders["forward"]
        revs = self.script._upgrade_revs if forward else self.script._downgrade_revs
        environment = EnvironmentContext(
            self.config,
            self.script,
            fn=lambda heads, _: revs(target, heads),
            as_sql=True,
            starting_rev=start,
            destination_rev=target,
        )
        with environment:
            self.script.run_env()
        return {"sql": text.getvalue()}


def words(error):
    """The last words of an error, and of what it came from."""
    lines = traceback.format_exception_only(type(error), error)
    said = " ".join("".join(lines).split("\n[SQL:")[0].split())
    sql = [line for line in str(error).split("\n") if line.startswith("[SQL:")]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(os.getcwd())]
    own = [f"{os.path.relpath(frame.filename)}:{frame.lineno} {frame.line}" for frame in frames]
    return {"kind": type(error).__name__, "said": said, "lines": own[-2:] + sql}


def masked(text):
    """Without the values of the environment that look secret."""
    for name, value in orders["env"].items():
        if len(value) >= 8 and re.search("PASS|SECRET|KEY|TOKEN|URL|DSN", name):
            text = text.replace(json.dumps(value)[1:-1], "[" + name + "]")
    return text


try:
    said = {"done": getattr(Clerk(), sys.argv[2])()}
except Trouble as trouble:
    said = {"trouble": trouble.told}
except BaseException as error:
    said = {"error": words(error)}
answer.write(masked(json.dumps(said)) + "\n")
answer.flush()
os._exit(0)
