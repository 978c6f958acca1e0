"""The schema as an append-only list of migrations; the version is SQLite's ``user_version``.

A migration that was released is never edited: what must change is a new entry at the end. JSON columns hold records
written by `agentfly.records`; times are seconds since the epoch; vectors are little-endian float32.
"""

from __future__ import annotations

APPLICATION_ID = 0x41464C59
"""``AFLY`` in the file header: tells our database from any other SQLite file."""

_V1: tuple[str, ...] = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('home_id', lower(hex(randomblob(16))))",
    # --- runs -----------------------------------------------------------------------------------------------------
    """CREATE TABLE runs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        started REAL NOT NULL,
        finished REAL,
        status TEXT NOT NULL,           -- running, interrupted, or an AttemptStatus
        owner TEXT NOT NULL DEFAULT '', -- process that runs it, to tell a killed run from a slow one
        task_id TEXT NOT NULL,
        question TEXT NOT NULL,
        level TEXT,
        answer TEXT,
        reward REAL,
        reason TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        strategy TEXT NOT NULL DEFAULT '',
        sandbox TEXT NOT NULL DEFAULT '',
        task TEXT NOT NULL,             -- Task
        settings TEXT NOT NULL DEFAULT '{}',
        feedback TEXT,                  -- Feedback
        usage TEXT,                     -- Usage of the whole run, gates and reflection included
        shown TEXT,                     -- {"cases": [...], "bullets": [...]}
        learned TEXT                    -- Learned
    )""",
    "CREATE INDEX runs_by_task ON runs (task_id)",
    """CREATE TABLE attempts (
        run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,        -- 0 is the answer to the user, later ones are a gate's trials
        created REAL NOT NULL,
        attempt TEXT NOT NULL,          -- Attempt without its steps
        feedback TEXT,
        PRIMARY KEY (run_id, number)
    ) WITHOUT ROWID""",
    """CREATE TABLE steps (
        run_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        step TEXT NOT NULL,             -- Step
        PRIMARY KEY (run_id, attempt, idx),
        FOREIGN KEY (run_id, attempt) REFERENCES attempts (run_id, number) ON DELETE CASCADE
    ) WITHOUT ROWID""",
    # --- cases ----------------------------------------------------------------------------------------------------
    """CREATE TABLE cases (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        rev INTEGER NOT NULL DEFAULT 0, -- set by trigger: rises with every change, so that an index can catch up
        hash TEXT NOT NULL UNIQUE,      -- of question, solution, answer and task
        status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'superseded', 'quarantined', 'pruned')),
        superseded_by TEXT,
        question TEXT NOT NULL,
        solution TEXT NOT NULL,
        answer TEXT,
        reward REAL NOT NULL CHECK (reward BETWEEN 0 AND 1),
        lesson TEXT NOT NULL,
        task_id TEXT NOT NULL,
        domain TEXT NOT NULL,
        tags TEXT NOT NULL,             -- JSON list
        provenance TEXT NOT NULL,       -- Provenance
        shown INTEGER NOT NULL DEFAULT 0,
        helped REAL NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        embedder TEXT NOT NULL,
        embedding BLOB NOT NULL         -- of the question
    )""",
    "CREATE INDEX cases_by_rev ON cases (rev)",
    "CREATE INDEX cases_by_status ON cases (status, created)",
    "CREATE INDEX cases_by_task ON cases (task_id)",
    "CREATE INDEX cases_by_domain ON cases (domain)",
    "CREATE TABLE case_revision (only INTEGER PRIMARY KEY CHECK (only = 1), value INTEGER NOT NULL)",
    "INSERT INTO case_revision VALUES (1, 0)",
    """CREATE TRIGGER cases_added AFTER INSERT ON cases BEGIN
        UPDATE case_revision SET value = value + 1;
        UPDATE cases SET rev = (SELECT value FROM case_revision) WHERE seq = NEW.seq;
    END""",
    # The counters are left out: they change with every run and no index holds them.
    """CREATE TRIGGER cases_changed AFTER UPDATE OF
        status, question, solution, answer, reward, lesson, task_id, domain, tags, embedder, embedding ON cases
    BEGIN
        UPDATE case_revision SET value = value + 1;
        UPDATE cases SET rev = (SELECT value FROM case_revision) WHERE seq = NEW.seq;
    END""",
    """CREATE TRIGGER cases_are_kept BEFORE DELETE ON cases BEGIN
        SELECT RAISE(ABORT, 'cases are never deleted: set the status');
    END""",
    # One row for each time that cases were recalled for a task or subtask, one interaction for each case shown.
    """CREATE TABLE recalls (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        task_id TEXT NOT NULL,
        created REAL NOT NULL,
        policy TEXT NOT NULL,
        embedder TEXT NOT NULL,
        state BLOB NOT NULL,            -- embedding of the task or subtask
        candidates TEXT                 -- JSON list of the case ids that the policy chose from
    )""",
    "CREATE INDEX recalls_by_run ON recalls (run_id)",
    """CREATE TABLE interactions (
        recall_id INTEGER NOT NULL REFERENCES recalls (id) ON DELETE CASCADE,
        rank INTEGER NOT NULL,
        case_id TEXT NOT NULL REFERENCES cases (id),
        similarity REAL NOT NULL,
        score REAL NOT NULL,
        propensity REAL NOT NULL,
        reward REAL,                    -- NULL until the run is judged
        PRIMARY KEY (recall_id, rank)
    ) WITHOUT ROWID""",
    "CREATE INDEX interactions_by_case ON interactions (case_id)",
    """CREATE TABLE policy_state (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        created REAL NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (name, version)
    )""",
    # --- playbook -------------------------------------------------------------------------------------------------
    """CREATE TABLE bullets (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,      -- order within the playbook
        status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'retired', 'removed')),
        section TEXT NOT NULL,
        text TEXT NOT NULL,
        kind TEXT NOT NULL DEFAULT 'strategy',
        helpful INTEGER NOT NULL DEFAULT 0,
        harmful INTEGER NOT NULL DEFAULT 0,
        shown INTEGER NOT NULL DEFAULT 0,
        runs TEXT NOT NULL DEFAULT '[]',
        cases TEXT NOT NULL DEFAULT '[]',
        version INTEGER NOT NULL DEFAULT 0,  -- that created it
        changed INTEGER NOT NULL DEFAULT 0,  -- version of the last change
        embedder TEXT,
        embedding BLOB
    )""",
    "CREATE INDEX bullets_by_status ON bullets (status, position)",
    "CREATE INDEX bullets_by_change ON bullets (changed)",
    """CREATE TABLE playbook_versions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        version INTEGER UNIQUE,         -- NULL for a delta that was dropped
        parent INTEGER,                 -- version that the delta was proposed for
        created REAL NOT NULL,
        author TEXT NOT NULL,           -- run, human, import, rollback, refine
        run_id TEXT,
        accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
        reason TEXT NOT NULL DEFAULT '',
        delta TEXT NOT NULL,            -- Delta
        changes TEXT NOT NULL DEFAULT '[]',  -- JSON list of {"before": Bullet or null, "after": Bullet or null}
        refusals TEXT NOT NULL DEFAULT '[]', -- JSON list of operations that were refused, with their reasons
        evidence TEXT NOT NULL DEFAULT '{}',
        CHECK ((version IS NULL) = (accepted = 0))
    )""",
)

_V2: tuple[str, ...] = (
    "ALTER TABLE cases ADD COLUMN seen INTEGER NOT NULL DEFAULT 1",
    # Hash of what near-identical cases share; NULL until a writer fills it in, see `agentfly.memory.merging.fill`.
    "ALTER TABLE cases ADD COLUMN gist TEXT",
    # Holds all that a recall can be narrowed by, so that a narrow filter on a large home reads no row that it rules out.
    "CREATE INDEX cases_by_filter ON cases (status, domain, reward, created, task_id, tags, id)",
    "CREATE INDEX cases_by_gist ON cases (gist, status)",
    "CREATE INDEX cases_without_gist ON cases (task_id) WHERE gist IS NULL",
    # What a success looks for: the failures of its task, and what waits for a confirmation.
    "CREATE INDEX cases_failed ON cases (task_id) WHERE status = 'active' AND reward < 0.5",
    "CREATE INDEX cases_quarantined ON cases (task_id) WHERE status = 'quarantined'",
    # Whatever takes a case out of recall, or brings it back, leaves a line here.
    """CREATE TABLE case_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created REAL NOT NULL,
        case_id TEXT NOT NULL REFERENCES cases (id),
        action TEXT NOT NULL,           -- superseded, merged, pruned, quarantined, confirmed, restored
        other TEXT,                     -- id of the case that it gave way to, or of the one that was merged into it
        run_id TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX case_events_by_case ON case_events (case_id, run_id)",
    "ALTER TABLE recalls ADD COLUMN policy_version INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE recalls ADD COLUMN choice TEXT NOT NULL DEFAULT '{}'",  # Choice: how the shown ones were chosen
    # The place in the record of judgements: rises with each, so that a policy can catch up.
    "ALTER TABLE recalls ADD COLUMN judged INTEGER",
    "UPDATE recalls SET judged = id WHERE id IN (SELECT recall_id FROM interactions WHERE reward IS NOT NULL)",
    "CREATE INDEX recalls_by_judgement ON recalls (judged)",
    "ALTER TABLE policy_state ADD COLUMN judged INTEGER NOT NULL DEFAULT 0",  # how far in the record it has read
    "ALTER TABLE policy_state ADD COLUMN embedder TEXT NOT NULL DEFAULT ''",
)

_V3: tuple[str, ...] = (
    # Whether the run may be learned from: what an evaluation answered must not become something to learn by.
    "ALTER TABLE runs ADD COLUMN learn INTEGER NOT NULL DEFAULT 0",
    "UPDATE runs SET learn = 1 WHERE json_array_length(learned, '$.cases') > 0",
)

_V4: tuple[str, ...] = (
    # What came to the attempts of open runs from outside; removed when the run is closed, see `agentfly.store.journal`.
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        attempt TEXT NOT NULL,          -- number of the attempt, or a word for other work on the run
        kind TEXT NOT NULL,             -- brief, reply, begun, result, refused, asked, decided
        key TEXT NOT NULL,              -- what finds it again
        payload TEXT NOT NULL,          -- JSON object
        created REAL NOT NULL
    )""",
    "CREATE INDEX journal_by_run ON journal (run_id, attempt)",
)

_V5: tuple[str, ...] = (
    # Learning over a dataset: which sample came to what, so that it can be gone on with, and reported on.
    """CREATE TABLE adaptations (
        id TEXT PRIMARY KEY,
        created REAL NOT NULL,
        finished REAL,
        identity TEXT NOT NULL,         -- hash of tasks, plan and settings: the same again goes on
        owner TEXT NOT NULL DEFAULT '', -- process that works on it
        plan TEXT NOT NULL,             -- JSON: what was asked for, to read
        outcome TEXT NOT NULL DEFAULT '{}'  -- JSON: why it ended, which version was kept
    )""",
    "CREATE INDEX adaptations_by_identity ON adaptations (identity, created)",
    """CREATE TABLE samples (
        adaptation TEXT NOT NULL REFERENCES adaptations (id) ON DELETE CASCADE,
        phase TEXT NOT NULL,            -- base, learn, validate, test, ...
        epoch INTEGER NOT NULL,         -- of learning, from 1; of validation, its number
        place INTEGER NOT NULL,         -- in the order of the epoch, from 0
        run_id TEXT NOT NULL UNIQUE,
        sample TEXT NOT NULL,           -- Sample
        PRIMARY KEY (adaptation, phase, epoch, place)
    ) WITHOUT ROWID""",
    """CREATE TABLE stages (
        adaptation TEXT NOT NULL REFERENCES adaptations (id) ON DELETE CASCADE,
        phase TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        number INTEGER NOT NULL,        -- of the window within its epoch, from 0
        finished REAL NOT NULL,
        stage TEXT NOT NULL,            -- Stage: what the home held when a window had been learned from
        PRIMARY KEY (adaptation, phase, epoch, number)
    ) WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_V1, _V2, _V3, _V4, _V5)
"""Migration n takes the schema from version n to n + 1."""

SCHEMA_VERSION = len(MIGRATIONS)
