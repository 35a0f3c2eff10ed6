// SPDX-License-Identifier: MIT
#include "common/submit/submit.hpp"

#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/submit/draft.hpp"
#include "common/submit/header.hpp"

namespace gk::submit {
namespace {

struct Host {
    config::Paths paths;
    std::string name, domain;
    std::uint64_t max_size = 0;
};

// A gk.toml that this user may not read leaves what the system knows; gk-smtpd holds everybody to the rest.
Result<Host> host_of(const std::string& root) {
    Host host;
    host.paths = config::Paths::under(root);
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    host.name = name.data();
    host.domain = host.name;
    const auto config = config::Config::load(host.paths);
    if (!config) {
        if (config.error().code == Errc::Config || config.error().code == Errc::BadInput) return fail(config.error());
        return host;
    }
    if (!config->string("server.hostname").empty()) host.name = config->string("server.hostname");
    host.domain = config->string("sendmail.domain").empty() ? host.name : config->string("sendmail.domain");
    host.max_size = config->size("smtp.max_size");
    return host;
}

struct User {
    std::string name, full_name;
};

User user_of_caller() {
    std::string buffer(16 * 1024, '\0');
    passwd entry{}, *found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return {"uid" + std::to_string(::getuid()), {}};
    // The first of gecos' fields; "&" in it is the user's name (passwd(5)).
    std::string full = entry.pw_gecos != nullptr ? entry.pw_gecos : "";
    full = full.substr(0, full.find(','));
    std::string name = entry.pw_name;
    std::string capital = name;
    if (!capital.empty()) capital[0] = text::to_upper(capital[0]);
    return {std::move(name), text::replace_all(full, "&", capital)};
}

Status read_draft(Draft& draft, int in) {
    std::array<char, 64 * 1024> buffer{};
    while (!draft.ended()) {
        const ssize_t count = ::read(in, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno("cannot read the message");
        if (count == 0) break;
        GK_CHECK(draft.feed({buffer.data(), static_cast<std::size_t>(count)}));
    }
    return draft.finish();
}

Status give(const smtp::MessageBody& body, const std::function<Status(std::string_view)>& sink) {
    GK_CHECK(sink(body.memory()));
    std::string piece(body.file_size() > 0 ? 64 * 1024 : 0, '\0');
    for (std::uint64_t at = 0; at < body.file_size();) {
        const ssize_t count = ::pread(body.file(), piece.data(), piece.size(), static_cast<off_t>(at));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return fail_errno("cannot read the message back");
        GK_CHECK(sink({piece.data(), static_cast<std::size_t>(count)}));
        at += static_cast<std::uint64_t>(count);
    }
    return ok();
}

std::string directory_for_bodies() {
    const char* set = std::getenv("TMPDIR");
    return set != nullptr && *set != '\0' ? set : "/tmp";
}

tl::unexpected<Failure> failed(const Error& error) { return tl::unexpected(failure_of(error)); }

}  // namespace

Outcome<std::string> send(const Request& request, int in) {
    const auto host = host_of(request.root);
    if (!host) return failed(host.error());
    const User user = user_of_caller();
    Author author{user.name + "@" + host->domain, request.full_name.empty() ? user.full_name : request.full_name,
                  host->domain};
    Envelope envelope;
    envelope.reverse_path = author.address;
    if (request.sender) {
        envelope.reverse_path.clear();
        if (!request.sender->empty()) {
            auto sender = qualify(*request.sender, host->domain);
            if (!sender) return failed(sender.error());
            author.address = envelope.reverse_path = std::move(*sender);
        }
    }
    for (const auto& operand : request.recipients) {
        auto some = qualify_list(operand, host->domain);
        if (!some) return failed(some.error());
        envelope.recipients.insert(envelope.recipients.end(), some->begin(), some->end());
    }
    if (envelope.recipients.empty() && !request.recipients_from_header)
        return tl::unexpected(Failure{EX_USAGE, "name recipients, or take them from the header"});

    Draft draft({!request.dot_is_text, host->max_size, directory_for_bodies()});
    if (const auto read = read_draft(draft, in); !read) return failed(read.error());
    auto prepared = prepare_header(draft.header(), author, new_id(), now());
    if (request.recipients_from_header)
        for (const auto& address : prepared.recipients) {
            auto one = qualify(address, host->domain);
            if (!one) return failed(one.error());
            envelope.recipients.push_back(std::move(*one));
        }
    if (envelope.recipients.empty()) return tl::unexpected(Failure{EX_USAGE, "the header names no recipients"});
    // Who is in To and in Cc gets one.
    std::vector<std::string> once;
    for (auto& address : envelope.recipients)
        if (std::find(once.begin(), once.end(), address) == once.end()) once.push_back(std::move(address));
    envelope.recipients = std::move(once);
    envelope.notify = request.notify;
    envelope.ret = request.ret;
    envelope.envid = request.envid;
    envelope.eight_bit = request.eight_bit || draft.eight_bit();
    envelope.hold_until = request.hold_until;

    prepared.header += "\r\n";
    return hand_over(host->paths, host->name, envelope, prepared.header.size() + draft.body().size(),
                     [&](const std::function<Status(std::string_view)>& sink) -> Status {
                         GK_CHECK(sink(prepared.header));
                         return give(draft.body(), sink);
                     });
}

}  // namespace gk::submit
