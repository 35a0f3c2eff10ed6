// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/submit/arguments.hpp"
#include "common/submit/submit.hpp"

namespace {

using namespace gk;

int say(const submit::Failure& failure) {
    (void)cli::fail({Errc::Temporary, failure.text});
    return failure.code;
}

// The queue has its own program, which lies beside this one.
int run_queue(const char* verb, const std::string& root) {
    std::string path(4096, '\0');
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    path = path.substr(0, path.rfind('/') + 1) + "gk-queue";
    ::execl(path.c_str(), "gk-queue", verb, "--root", root.c_str(), static_cast<char*>(nullptr));
    return say({EX_OSFILE, os_error(errno, "cannot run '" + path + "'").text});
}

int deliver(const submit::Arguments& a) {
    submit::Request request;
    request.root = a.root;
    request.sender = a.sender;
    request.full_name = a.full_name;
    request.recipients = a.recipients;
    request.recipients_from_header = a.recipients_from_header;
    request.dot_is_text = a.dot_is_text;
    request.eight_bit = a.eight_bit;
    request.notify = a.notify;
    request.ret = a.ret;
    request.envid = a.envid;
    const auto sent = submit::send(request, STDIN_FILENO);
    if (!sent) return say(sent.error());
    if (a.verbose) fmt::print("{}\n", *sent);
    return EX_OK;
}

int run(std::string_view program, const std::vector<std::string>& words, const std::string& root) {
    auto a = submit::parse_arguments(program, words);
    if (!a) return cli::usage(a.error().text);
    if (a->root.empty()) a->root = root;
    using Mode = submit::Arguments::Mode;
    switch (a->mode) {
        case Mode::Deliver: return deliver(*a);
        case Mode::ListQueue: return run_queue("list", a->root);
        case Mode::Flush: return run_queue("flush", a->root);
        case Mode::Nothing: return EX_OK;
        case Mode::Smtp: {
            const auto ended = submit::relay_dialogue(config::Paths::under(a->root), STDIN_FILENO, STDOUT_FILENO);
            return ended ? *ended : say(ended.error());
        }
    }
    return EX_SOFTWARE;
}

// What --help, the page and the completions show. The command line itself is sendmail's, and no other parser's.
struct Shown {
    bool t = false, i = false, v = false, q = false;
    std::string root, b, f, full_name, body, notify, ret, envid, o;
    std::vector<std::string> recipients;

    cli::Tool tool() {
        cli::Tool tool;
        tool.name = "gk-sendmail";
        tool.summary = "send mail from a script, as sendmail does";
        tool.description =
            "Reads a message from stdin and hands it to gk-smtpd, or leaves it in the spool where that "
            "does not run. Other options of sendmail are read past.";
        tool.options = {
            {"-t", &t, "take recipients from To, Cc and Bcc, besides those named"},
            {"-i", &i, "a line with a dot alone does not end the message; so -oi"},
            {"-f,-r", &f, "the sender (reverse-path); <> for the null one", "ADDRESS"},
            {"-F", &full_name, "the name in a From field that must be added", "NAME"},
            {"-B", &body, "7BIT or 8BITMIME", "BODY"},
            {"-N", &notify, "when to be told: never, or some of success, failure and delay", "WHEN"},
            {"-R", &ret, "what a failure returns: full or hdrs", "WHAT"},
            {"-V", &envid, "the envelope's id, for notifications", "ID"},
            {"-b", &b, "m: send (as without it); s: speak SMTP on stdin and stdout; p: list the queue; i: nothing",
             "MODE"},
            {"-o", &o, "i as -i, t as -t; others are read past", "OPTION"},
            {"-q", &q, "try all that waits in the queue now"},
            {"-v", &v, "print the queue id"},
            {"--root", &root, "where everything of this gk lives, instead of the system's places", "DIR"}};
        tool.operands = {{"recipient", &recipients, "who gets it; a name without a domain is one of this host", false}};
        tool.examples = {"echo done | gk-sendmail root  # as a script does",
                         "gk-sendmail -t -i < message  # to those whom its header names"};
        tool.run = [] { return EX_SOFTWARE; };
        return tool;
    }
};

}  // namespace

int main(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);
    const char* const root = std::getenv("GK_ROOT");
    const std::string_view name = argc > 0 ? argv[0] : "";
    const std::string_view first = argc > 1 ? argv[1] : "";
    if (first == "--help" || first == "--version" || first.starts_with("__")) {
        Shown shown;
        return cli::run(shown.tool(), argc, argv);
    }
    return run(name.substr(name.rfind('/') + 1), {argv + std::min(argc, 1), argv + argc}, root != nullptr ? root : "");
}
