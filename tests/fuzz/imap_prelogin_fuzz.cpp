// SPDX-License-Identifier: MIT
// links: imap
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/text.hpp"
#include "common/imap/prelogin.hpp"

using namespace gk;

namespace {

// The first byte chooses the host's answers and the cut; the rest is what the client says.
std::string talk(std::string_view bytes, unsigned answers, std::size_t cut) {
    imap::PreLoginOptions options;
    options.hostname = "imap.a.test";
    options.starttls = true;
    options.tls = (answers & 1) != 0;
    options.mechanisms = {"SCRAM-SHA-256", "PLAIN", "LOGIN"};
    imap::PreLogin session(options);
    std::string out;
    std::string_view parts[] = {bytes.substr(0, cut), bytes.substr(cut)};
    for (const auto part : parts) {
        auto step = session.feed(part);
        for (int turns = 0; turns < 1000; ++turns) {
            out += step.output;
            imap::PreLogin::Step next;
            bool suspended = false;
            for (const auto& effect : step.effects) {
                auth::Reply reply;
                if (std::holds_alternative<imap::StartTls>(effect)) {
                    out += "<tls>";
                    next = session.tls_started({"PLAIN"});
                    suspended = true;
                } else if (std::holds_alternative<auth::Begin>(effect) ||
                           std::holds_alternative<auth::Continue>(effect)) {
                    reply.kind = (answers & 2) != 0 ? auth::Reply::Kind::Fail
                                 : std::holds_alternative<auth::Begin>(effect) && (answers & 4) != 0
                                     ? auth::Reply::Kind::Continue
                                     : auth::Reply::Kind::Ok;
                    if ((answers & 8) != 0 || reply.kind == auth::Reply::Kind::Continue) reply.bytes = "bytes";
                    next = session.authenticated(reply);
                    suspended = true;
                } else if (std::holds_alternative<imap::HandOver>(effect)) {
                    out += "<over>";
                    next = session.session_refused(auth::FailCode::Temp, "x");
                    suspended = true;
                }
            }
            if (!suspended) break;
            step = std::move(next);
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    const bool starts_tls = text::find_nocase(bytes, "STARTTLS") !=
                            std::string_view::npos;  // what follows STARTTLS in one read is dropped, by design
    const std::string whole = talk(bytes, data[0], bytes.size());
    const std::string split = talk(bytes, data[0], bytes.empty() ? 0 : data[1] % bytes.size());
    if (whole != split && !starts_tls) std::abort();
    return 0;
}
