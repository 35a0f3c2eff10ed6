// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-spam/gk_spam.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    spam_tool::Arguments a;
    const char* const root = std::getenv("GK_ROOT");
    a.root = root != nullptr ? root : "";
    const cli::Operand messages{"message", &a.messages,
                                "files with a message each, mboxes, Maildirs or directories of such; standard input "
                                "where there is none, or for -",
                                false};

    cli::Tool tool;
    tool.name = "gk-spam";
    tool.summary = "tell spam from mail, and learn the difference";
    tool.description =
        "Judges messages by what was learned from others, with the model that all accounts share and, where one is "
        "named, the account's own. Works on the models' files, whether daemons run or not.";
    tool.options = {
        {"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"},
        {"-a,--account", &a.account, "the account whose own model is meant; without, the shared one", "ADDRESS"},
        {"--home", &a.home, "the directory of a model by itself, in place of all these", "DIR"},
        {"-j,--json", &a.json, "one JSON object a line"}};
    tool.commands = {
        {.name = "classify",
         .summary = "say of each message what it is, how sure that is, and why; exits 1 where one is spam",
         .operands = {messages},
         .run = [&] { return spam_tool::classify(a); }},
        {.name = "learn",
         .summary = "learn from messages; each counts once, however often it is learned",
         .options =
             {{"--spam", &a.spam, "that they are spam"},
              {"--ham", &a.ham, "that they are not"},
              {"--pending", &a.pending,
               "in place of messages: what owners moved to Junk and out of it since the last time, into their own "
               "models; of all accounts, or of --account"}},
         .operands = {messages},
         .run = [&] { return spam_tool::learn(a); }},
        {.name = "forget",
         .summary = "take back what was learned from messages",
         .operands = {messages},
         .run = [&] { return spam_tool::forget(a); }},
        {.name = "train",
         .summary = "learn from the messages in DIRECTORY/spam and DIRECTORY/ham, going over them several times",
         .options = {{"--passes", &a.passes, "how often at most", "N"}},
         .operands = {{"directory", &a.directory, "that holds the directories or Maildirs spam and ham"}},
         .run = [&] { return spam_tool::train(a); }},
        {.name = "features",
         .summary = "list what a message is judged by",
         .operands = {{"file", &a.file, "the message; standard input where it is - or absent", false}},
         .run = [&] { return spam_tool::features(a); }},
        {.name = "stats",
         .summary = "say how much was learned, and how large the models are",
         .run = [&] { return spam_tool::stats(a); }},
        {.name = "export",
         .summary = "write the model as text: numbers, from which no mail can be read",
         .run = [&] { return spam_tool::write_model(a); }},
        {.name = "import", .summary = "read what export wrote, in place of all that was learned", .run = [&] {
             return spam_tool::read_model(a);
         }}};
    tool.examples = {"gk-spam classify < message  # what would be thought of it, and why",
                     "gk-spam learn --spam -a ann@a.test ~/Maildir/.Junk  # all that lies in a mailbox",
                     "gk-spam train corpus  # the shared model, from corpus/spam and corpus/ham",
                     "gk-spam export -a ann@a.test | gk-spam import -a bob@a.test  # a copy to begin with"};
    return cli::run(tool, argc, argv);
}
