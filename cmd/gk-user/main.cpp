// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-user/gk_user.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    user_tool::Arguments a;
    const char* const root = std::getenv("GK_ROOT");
    a.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-user";
    tool.summary = "accounts, their passwords and what they may do";
    tool.description =
        "Works on gk.db, auth.db and the mail directory, whether daemons run or not; they see a change at the next "
        "login or "
        "message. Passwords come from a prompt, standard input or a file, never from an argument.";
    tool.options = {{"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"},
                    {"-j,--json", &a.json, "one JSON object a line"}};
    const cli::Operand account{"account", &a.account, "its address"};
    const cli::Operand accounts{"account", &a.accounts, "their addresses"};
    const cli::Option domain{"--domain", &a.domain, "only those of this domain", "DOMAIN"};
    const cli::Option dry_run{"-n,--dry-run", &a.dry_run, "say what would be done, and do nothing"};
    const cli::Option yes{"-y,--yes", &a.yes, "do not ask"};
    const cli::Option password{"--password-file", &a.password_file,
                               "read the password's one line from FILE; - is standard input", "FILE"};
    const cli::Option name{"--name", &a.name, "the person's name", "TEXT"};
    const cli::Option quota{"--quota", &a.quota, "how much mail it may keep, such as 2GB; 0: no limit", "SIZE"};
    const cli::Option quota_messages{"--quota-messages", &a.quota_messages,
                                     "how many messages it may keep; 0: no limit", "COUNT"};
    const cli::Option admin{"--admin", &a.admin, "whether it administers its domain, and gets postmaster's mail",
                            "yes|no"};
    tool.commands = {
        {.name = "add",
         .summary = "make an account with Drafts, Sent, Junk, Trash and Archive",
         .options = {password,
                     {"--no-password", &a.no_password, "it cannot log in until it gets one"},
                     name,
                     quota,
                     quota_messages,
                     admin},
         .operands = {account},
         .run = [&] { return user_tool::add(a); }},
        {.name = "list", .summary = "list accounts", .options = {domain}, .run = [&] { return user_tool::list(a); }},
        {.name = "show",
         .summary = "show accounts with all that is known of them",
         .operands = {accounts},
         .run = [&] { return user_tool::show(a); }},
        {.name = "change",
         .summary = "change an account's name, quota or rights",
         .options = {name, quota, quota_messages, admin},
         .operands = {account},
         .run = [&] { return user_tool::change(a); }},
        {.name = "passwd",
         .summary = "set the main password; app passwords stay",
         .options = {password,
                     {"--hash", &a.hash, "what is read is a yescrypt, bcrypt, sha512 or argon2id hash from elsewhere"},
                     {"--no-password", &a.no_password, "take the main password away"}},
         .operands = {account},
         .run = [&] { return user_tool::passwd(a); }},
        {.name = "disable",
         .summary = "refuse logins; mail is still accepted",
         .operands = {accounts},
         .run = [&] { return user_tool::set_disabled(a, true); }},
        {.name = "enable",
         .summary = "permit logins again",
         .operands = {accounts},
         .run = [&] { return user_tool::set_disabled(a, false); }},
        {.name = "remove",
         .summary = "remove accounts and their credentials; mail stays on disk unless told",
         .options = {{"--delete-mail", &a.delete_mail, "delete their mail too"}, dry_run, yes},
         .operands = {accounts},
         .run = [&] { return user_tool::remove(a); }},
        {.name = "add-app-password",
         .summary = "generate a password for one client, and print it",
         .options = {{"--label", &a.label, "which client it is for", "TEXT"},
                     {"--scope", &a.scope, "what it opens: smtp, imap, managesieve, apart by commas, or all", "LIST"},
                     {"--expires", &a.expires,
                      "for how long (90d) or until when (2027-01-01T00:00:00Z); empty: for ever", "TIME"}},
         .operands = {account},
         .run = [&] { return user_tool::add_app_password(a); }},
        {.name = "list-app-passwords",
         .summary = "list an account's app passwords, and when each was used",
         .operands = {account},
         .run = [&] { return user_tool::list_app_passwords(a); }},
        {.name = "remove-app-password",
         .summary = "make an app password void",
         .options = {{"--label", &a.label, "which one", "TEXT"}},
         .operands = {account},
         .run = [&] { return user_tool::remove_app_password(a); }},
        {.name = "export",
         .summary = "print accounts as text that apply reads: one JSON object a line, with password hashes",
         .options = {domain},
         .run = [&] { return user_tool::export_accounts(a); }},
        {.name = "apply",
         .summary = "make accounts as a text declares them; applying twice changes nothing",
         .options = {dry_run,
                     {"--prune", &a.prune,
                      "remove accounts that are not declared, of the domains that are; mail stays"},
                     {"--reset-passwords", &a.reset_passwords,
                      "set declared hashes again where a login has replaced them"},
                     yes},
         .operands = {{"file", &a.file, "what export printed; -: standard input", false}},
         .run = [&] { return user_tool::apply(a); }},
    };
    tool.examples = {
        "gk-user add ann@a.test  # asks for a password",
        "gk-user add-app-password ann@a.test --label phone --scope imap,smtp --expires 365d  # for one client",
        "gk-user export | ssh other gk-user apply --dry-run  # what would change over there"};
    return cli::run(tool, argc, argv);
}
