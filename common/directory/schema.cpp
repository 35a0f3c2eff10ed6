// SPDX-License-Identifier: MIT
#include "common/directory/schema.hpp"

namespace gk::directory {

const std::vector<std::string>& schema() {
    static const std::vector<std::string> steps = {
        R"sql(
create table tenant (
    id integer primary key, name text not null unique, created_s integer not null);
insert into tenant values (1, 'default', unixepoch());
create table domain (
    id integer primary key, tenant_id integer not null references tenant, name text not null unique, created_s integer not null);
create table account (
    id integer primary key, tenant_id integer not null references tenant, domain_id integer not null references domain,
    local_part text not null, name text not null default '', admin integer not null default 0, disabled integer not null default 0,
    quota_bytes integer not null default 0, created_s integer not null, changed_s integer not null,
    unique (domain_id, local_part));
create table alias (  -- the catch-all has an empty local part
    id integer primary key, tenant_id integer not null references tenant, domain_id integer not null references domain,
    local_part text not null, created_s integer not null, changed_s integer not null,
    unique (domain_id, local_part));
create table alias_target (
    alias_id integer not null references alias on delete cascade, position integer not null, address text not null,
    primary key (alias_id, address)) without rowid;
create table change (  -- who did what, when; rows are only added
    id integer primary key, time_us integer not null, tenant text not null, actor text not null, verb text not null,
    object text not null, detail text not null default '');
)sql",
        R"sql(
alter table account add column quota_messages integer not null default 0;
alter table domain add column quota_bytes integer not null default 0;
alter table domain add column quota_messages integer not null default 0;
)sql",
        R"sql(
alter table alias add column kind integer not null default 0;  -- 0: an alias; 1: a pattern, "/PATTERN/"; 2: a list
create index alias_pattern on alias (domain_id, id) where kind = 1;
create table list (
    alias_id integer primary key references alias on delete cascade, owner text not null, post text not null,
    name text not null);
create table domain_alias (  -- another name of a domain
    name text primary key, domain_id integer not null references domain, created_s integer not null) without rowid;
create index domain_alias_of on domain_alias (domain_id);
)sql",
    };
    return steps;
}

}  // namespace gk::directory
