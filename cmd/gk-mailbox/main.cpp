// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-mailbox/gk_mailbox.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    mailbox_tool::Arguments a;
    const char* const root = std::getenv("GK_ROOT");
    a.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-mailbox";
    tool.summary = "look at mailboxes, check and repair them, adopt a Maildir";
    tool.description =
        "Works on the Maildir and the index of an account, whether daemons run or not; sessions that are open see what "
        "it "
        "changes.";
    tool.options = {{"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"},
                    {"-a,--account", &a.account, "the account to work on", "ADDRESS"},
                    {"--home", &a.home, "the directory that holds Maildir/, in place of an account", "DIR"},
                    {"--all", &a.all, "every account that has mail"},
                    {"-j,--json", &a.json, "one JSON object a line"}};
    const cli::Operand mailboxes{"mailbox", &a.mailboxes, "their names, levels apart by /; all where none is given",
                                 false};
    const cli::Option files{"--files", &a.files, "also compare sizes with the files' own; slower"};
    tool.commands = {
        {.name = "list",
         .summary = "list mailboxes with their special uses and subscriptions",
         .run = [&] { return mailbox_tool::list(a); }},
        {.name = "status",
         .summary = "show how much is in mailboxes",
         .operands = {mailboxes},
         .run = [&] { return mailbox_tool::status(a); }},
        {.name = "check",
         .summary = "find where files, uidlists and index disagree; changes nothing, exits 1 where they do",
         .options = {files},
         .run = [&] { return mailbox_tool::check(a); }},
        {.name = "repair",
         .summary = "bring index and uidlists into line with the files; never removes a message",
         .options = {files, {"--rebuild", &a.rebuild, "set the index aside and make it anew; stop the daemons before"}},
         .run = [&] { return mailbox_tool::repair(a); }},
        {.name = "adopt",
         .summary =
             "take over a Maildir that Dovecot or another server kept, in place, with its UIDs, flags and keywords",
         .run = [&] { return mailbox_tool::adopt(a); }},
        {.name = "expunge",
         .summary = "remove messages for good, by age",
         .options = {{"--older-than", &a.older_than, "those that have been in the mailbox for longer, such as 30d",
                      "AGE"},
                     {"--deleted", &a.only_deleted, "only those flagged \\Deleted"},
                     {"--seen", &a.only_seen, "only those that were read"},
                     {"-n,--dry-run", &a.dry_run, "say what would be expunged, and expunge nothing"},
                     {"-y,--yes", &a.yes, "do not ask"}},
         .operands = {{"mailbox", &a.mailboxes, "from these mailboxes"}},
         .run = [&] { return mailbox_tool::expunge(a); }}};
    tool.examples = {"gk-mailbox status -a ann@a.test  # how much is where",
                     "gk-mailbox adopt -a ann@a.test  # after moving a Dovecot Maildir to the account's home",
                     "gk-mailbox check --all  # find disagreements, in all accounts",
                     "gk-mailbox expunge --all --older-than 30d --yes Trash Junk  # from cron"};
    return cli::run(tool, argc, argv);
}
