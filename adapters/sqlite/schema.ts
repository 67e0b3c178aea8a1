/**
 * One step of the schema. Steps are only ever added, and only add (tables, columns, indexes), so that software which
 * knows an earlier schema can go on with the file: it names the columns that it writes, and leaves all others alone.
 */
export interface SchemaStep {
  /** The oldest schema whose software may open a file that has taken this step. */
  readonly oldestReader: number
  readonly statements: readonly string[]
}

/*
 * Times are milliseconds since 1970. `changed_at` is the time of the last change that `readChanges` tells. Words of the
 * core (states, codes) are not checked here: a later version may write words that this one doesn't know.
 */
const FIRST: SchemaStep = {
  oldestReader: 1,
  statements: [
    `CREATE TABLE meta (
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE lease (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      holder TEXT NOT NULL,
      build TEXT NOT NULL,
      fence INTEGER NOT NULL,
      taken_at REAL NOT NULL,
      expires_at REAL NOT NULL,
      hand_over_at REAL,
      yield_to TEXT,
      notes TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE hosts (
      id TEXT PRIMARY KEY,
      tags TEXT NOT NULL,
      token_hash TEXT NOT NULL,
      token_generation INTEGER NOT NULL DEFAULT 1,
      state TEXT NOT NULL,
      state_since REAL NOT NULL,
      epoch INTEGER NOT NULL,
      connection TEXT,
      install TEXT,
      fence INTEGER NOT NULL,
      max_runners INTEGER NOT NULL,
      cpu_millis INTEGER NOT NULL,
      memory_mib INTEGER NOT NULL,
      accepting INTEGER NOT NULL,
      not_accepting_reason TEXT,
      revision INTEGER NOT NULL,
      changed_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID`,
    'CREATE INDEX hosts_by_change ON hosts (changed_at)',
    `CREATE TABLE slots (
      host TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
      runner TEXT NOT NULL,
      template TEXT NOT NULL,
      cpu_millis INTEGER NOT NULL,
      memory_mib INTEGER NOT NULL,
      PRIMARY KEY (host, runner)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE backoffs (
      host TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
      template TEXT NOT NULL,
      failures INTEGER NOT NULL,
      until REAL NOT NULL,
      PRIMARY KEY (host, template)
    ) STRICT, WITHOUT ROWID`,
    // A sign of life and a list of images may come before their host is added, and after it was removed.
    `CREATE TABLE liveness (
      host TEXT PRIMARY KEY,
      epoch INTEGER NOT NULL,
      last_seen_at REAL NOT NULL,
      expected_by REAL NOT NULL,
      starts_per_minute REAL,
      changed_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID`,
    'CREATE INDEX liveness_by_change ON liveness (changed_at)',
    `CREATE TABLE image_lists (
      host TEXT PRIMARY KEY,
      revision INTEGER NOT NULL,
      changed_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID`,
    'CREATE INDEX image_lists_by_change ON image_lists (changed_at)',
    `CREATE TABLE images (
      host TEXT NOT NULL REFERENCES image_lists (host) ON DELETE CASCADE,
      image TEXT NOT NULL,
      state TEXT NOT NULL,
      reason TEXT,
      retry_at REAL,
      told_at REAL NOT NULL,
      PRIMARY KEY (host, image)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE runners (
      host TEXT NOT NULL,
      id TEXT NOT NULL,
      state TEXT NOT NULL,
      template TEXT NOT NULL,
      source TEXT NOT NULL,
      labels TEXT NOT NULL,
      cpu_millis INTEGER NOT NULL,
      memory_mib INTEGER NOT NULL,
      reservation_id TEXT,
      reservation_expires_at REAL,
      reserved_at REAL NOT NULL,
      stop_reason TEXT,
      stop_requested_at REAL,
      epoch INTEGER,
      dispatched_at REAL,
      started_at REAL,
      outcome TEXT,
      code TEXT,
      reason TEXT,
      exit_code INTEGER,
      gone_at REAL,
      changed_at REAL NOT NULL,
      PRIMARY KEY (host, id)
    ) STRICT, WITHOUT ROWID`,
    'CREATE INDEX runners_by_change ON runners (changed_at)',
    "CREATE INDEX live_runners ON runners (host) WHERE state <> 'gone'",
    "CREATE INDEX tombstones_by_age ON runners (changed_at) WHERE state = 'gone'",
    `CREATE TABLE crash_reports (
      host TEXT NOT NULL,
      runner TEXT NOT NULL,
      part INTEGER NOT NULL,
      parts INTEGER NOT NULL,
      text TEXT NOT NULL,
      changed_at REAL NOT NULL,
      PRIMARY KEY (host, runner, part)
    ) STRICT`,
    'CREATE INDEX crash_reports_by_age ON crash_reports (changed_at)',
    `CREATE TABLE template_versions (
      version INTEGER PRIMARY KEY,
      stored_at REAL NOT NULL,
      stored_by TEXT NOT NULL,
      text TEXT NOT NULL,
      templates TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE source_statuses (
      source TEXT PRIMARY KEY,
      status TEXT NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
}

/** Schema N is what the first N steps make. */
export const SCHEMA_STEPS: readonly SchemaStep[] = [FIRST]
