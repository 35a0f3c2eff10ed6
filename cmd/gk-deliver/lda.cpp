// SPDX-License-Identifier: MIT
#include <sysexits.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include "cmd/gk-deliver/gk_deliver.hpp"
#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/delivery/content.hpp"
#include "common/lmtp/host.hpp"
#include "common/os/owner.hpp"
#include "common/smtp/command.hpp"

namespace gk::deliver {

namespace {

// What a pipe brings has LF line ends as a rule; messages are taken in as on the wire. A "From " line of the mbox
// format in front (as fetchmail and procmail pass it) is no part of the message.
class WireForm {
public:
    explicit WireForm(delivery::Content& content) : content_(content) {}
    Status feed(std::string_view bytes) {
        if (!started_) {
            head_.append(bytes);
            if (head_.size() < 5) return ok();
            return start();
        }
        return convert(bytes);
    }
    Status finish() { return started_ ? ok() : start(); }

private:
    Status start() {
        started_ = true;
        skipping_ = head_.starts_with("From ");
        return convert(std::exchange(head_, {}));
    }
    Status convert(std::string_view bytes) {
        if (skipping_) {
            const auto end = bytes.find('\n');
            if (end == std::string_view::npos) return ok();
            skipping_ = false;
            bytes.remove_prefix(end + 1);
        }
        while (!bytes.empty()) {
            const auto end = bytes.find('\n');
            const auto line = bytes.substr(0, end);
            GK_CHECK(content_.write(line));
            if (end == std::string_view::npos) {
                after_cr_ = line.ends_with('\r');
                return ok();
            }
            const bool has_cr = line.empty() ? after_cr_ : line.back() == '\r';
            after_cr_ = false;
            GK_CHECK(content_.write(has_cr ? "\n" : "\r\n"));
            bytes.remove_prefix(end + 1);
        }
        return ok();
    }

    delivery::Content& content_;
    std::string head_;
    bool started_ = false, skipping_ = false, after_cr_ = false;
};

Status read_message(int fd, delivery::Content& content, std::uint64_t limit) {
    WireForm wire(content);
    std::vector<char> buffer(256 * 1024);
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("cannot read the message");
        if (n == 0) return wire.finish();
        GK_CHECK(wire.feed({buffer.data(), static_cast<std::size_t>(n)}));
        if (content.size() > limit)
            return fail(Errc::BadInput,
                        "the message has more than " + std::to_string(limit) + " bytes (smtp.max_size)");
    }
}

// sysexits for what an MTA reads as bounce or try again.
int exit_of(const delivery::Answer& answer) {
    if (answer.positive()) return EX_OK;
    if (answer.code < 500) return EX_TEMPFAIL;
    if (answer.enhanced == "5.1.1" || answer.enhanced == "5.7.1") return EX_NOUSER;
    if (answer.enhanced == "5.1.3") return EX_DATAERR;
    return EX_UNAVAILABLE;
}

// The worst of several: what may pass later comes first, since the MTA keeps the message only then.
int worse(int a, int b) {
    if (a == EX_TEMPFAIL || b == EX_TEMPFAIL) return EX_TEMPFAIL;
    return a != EX_OK ? a : b;
}

int say(const std::string& address, const delivery::Answer& answer) {
    const int code = exit_of(answer);
    if (code != EX_OK) (void)cli::fail({Errc::Permanent, "'" + text::printable(address) + "': " + answer.text});
    return code;
}

// MESSAGE is there where scripts want to see it; then there is a column more, for what they say.
int dry_run(const LocalDelivery& wanted, delivery::Deliverer& deliverer, const delivery::Envelope& envelope,
            const std::vector<delivery::Recipient>& recipients, std::string_view message) {
    const bool filtered = !message.empty();
    std::vector<std::string> columns = {"recipient", "action", "account", "mailbox"};
    if (filtered) columns.emplace_back("sieve");
    cli::Rows rows(wanted.json, columns);
    const auto add = [&](std::vector<cli::Rows::Cell> cells, const std::string& sieve) {
        if (filtered) cells.emplace_back(sieve);
        rows.add(std::move(cells));
    };
    int code = EX_OK;
    for (const auto& recipient : recipients) {
        const auto planned = deliverer.plan(recipient, wanted.mailbox, &envelope, message);
        if (!planned) {
            (void)cli::fail(planned.error());
            code = worse(code,
                         planned.error().code == Errc::NotFound ? EX_CANTCREAT : cli::exit_code(planned.error().code));
            continue;
        }
        for (const auto& copy : *planned) {
            if (!copy.external.empty())
                add({recipient.address, std::string("spool"), copy.external, std::string()}, copy.sieve);
            else if (copy.mailbox.empty())
                add({recipient.address, std::string("sieve"), copy.account, std::string()}, copy.sieve);
            else add({recipient.address, std::string("file"), copy.account, copy.mailbox}, copy.sieve);
        }
    }
    return code;
}

}  // namespace

int deliver_stdin(const LocalDelivery& wanted) {
    log::open("gk-deliver", log::Level::Warning);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    if (wanted.recipients.empty()) return cli::usage("a recipient is missing: give it with -d");
    delivery::Envelope envelope;
    envelope.trace_id = new_id();
    envelope.body = queue::Body::EightBitMime;
    if (!wanted.reverse_path.empty() && wanted.reverse_path != "<>") {
        std::string_view path = wanted.reverse_path;
        if (path.starts_with('<') && path.ends_with('>')) path = path.substr(1, path.size() - 2);
        const auto parsed = smtp::parse_mailbox(path);
        if (!parsed) return cli::usage("'" + text::printable(wanted.reverse_path) + "' is not an address");
        envelope.reverse_path = parsed->to_string();
        envelope.smtputf8 = !parsed->is_ascii();
    }

    const auto paths = config::Paths::under(wanted.root);
    // Run as root, from an MTA's pipe.
    if (const auto became = os::become_owner_of(paths.mail); !became) return cli::fail(became.error());
    const auto config = config::Config::load(paths);
    if (!config) return cli::fail(config.error());
    const auto deliverer = delivery::Deliverer::open(*config);
    if (!deliverer) return cli::fail(deliverer.error());

    delivery::Content content(config->size("delivery.memory"), paths.mail);
    // Recipients are asked for first: a message that nobody takes need not be read. An MTA's pipe does not mind.
    std::vector<delivery::Recipient> recipients;
    int code = EX_OK;
    for (const auto& address : wanted.recipients) {
        delivery::Recipient recipient;
        recipient.address = address;
        const auto answer = (*deliverer)->check(recipient, 0, envelope.reverse_path);
        code = worse(code, say(address, answer));
        if (answer.positive()) recipients.push_back(std::move(recipient));
    }
    if (recipients.empty()) return code;
    if (!wanted.mailbox.empty()) {
        for (const auto& recipient : recipients) {
            const auto planned = (*deliverer)->plan(recipient, wanted.mailbox);
            if (planned) continue;
            (void)cli::fail(planned.error());
            return planned.error().code == Errc::NotFound || planned.error().code == Errc::BadInput ? EX_CANTCREAT
                                                                                                    : EX_TEMPFAIL;
        }
    }
    bool filtered = false;
    for (const auto& recipient : recipients) {
        const auto is = (*deliverer)->is_filtered(recipient);
        if (!is) return cli::fail(is.error());
        filtered |= *is;
    }
    if (wanted.dry_run && !(filtered && wanted.mailbox.empty()))
        return worse(code, dry_run(wanted, **deliverer, envelope, recipients, {}));

    if (const auto done = read_message(STDIN_FILENO, content, config->size("smtp.max_size")); !done)
        return cli::fail(done.error());
    const auto message = content.bytes();
    if (!message) return cli::fail(message.error());
    if (wanted.dry_run) return worse(code, dry_run(wanted, **deliverer, envelope, recipients, *message));
    const auto outcomes = (*deliverer)->deliver(envelope, recipients, *message, wanted.mailbox);
    lmtp::log_outcomes(envelope, recipients, outcomes, message->size());
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        code = worse(code, say(recipients[i].address, outcomes[i].answer));
    return code;
}

}  // namespace gk::deliver
