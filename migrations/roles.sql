-- Who may do what: two group roles to give to logins. Run after the migrations, by the role that ran
-- them, which must be allowed to create roles unless both are there; may be run again at any time.
--
--     psql -f migrations/roles.sql postgres://owner@db.example/bikes
--     create role page login in role bikeshare_reader;
--     create role sink login in role bikeshare_writer;

do $$
begin
    -- Asked first: who may not create roles may still give their rights to those that are there.
    if to_regrole('bikeshare_reader') is null then
        create role bikeshare_reader nologin;
    end if;
    if to_regrole('bikeshare_writer') is null then
        create role bikeshare_writer nologin;
    end if;
end $$;

-- Before version 15, Postgres lets everybody make tables in this schema.
revoke create on schema public from public;
grant usage on schema public to bikeshare_reader, bikeshare_writer;

-- The page, `bikeshare status`, `rejected` and people. LISTEN needs no right.
grant select on all tables in schema public to bikeshare_reader;
-- The sink; COPY needs what INSERT needs, and a rebuild empties tables. NOTIFY and advisory locks
-- need no right, and neither does the sequence of an identity column.
grant select, insert, update, delete, truncate on all tables in schema public to bikeshare_writer;
-- What it has made and dropped for it.
grant execute on function make_month, drop_month to bikeshare_writer;

-- The same for tables that later migrations of this role make.
alter default privileges in schema public grant select on tables to bikeshare_reader;
alter default privileges in schema public
    grant select, insert, update, delete, truncate on tables to bikeshare_writer;

-- Only who migrates writes down what was migrated.
revoke insert, update, delete, truncate on _sqlx_migrations from bikeshare_writer;
