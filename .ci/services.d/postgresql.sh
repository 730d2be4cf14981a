# PostgreSQL's programs; the tests start clusters of their own with them.
ensure_package "/usr/lib/postgresql/*/bin/initdb" postgresql
