// SPDX-License-Identifier: MIT
// links: smtp
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/smtp/session.hpp"

namespace {

using namespace gk::smtp;

struct Heard {
    std::string replies, content;  // of the messages that ended well
    bool operator==(const Heard&) const = default;
};

// The dialogue when the input comes in pieces of STEP bytes. STARTTLS ends it: what follows is not ours to read.
Heard converse(const SessionSettings& settings, std::string_view input, std::size_t step) {
    Session session(settings);
    Heard heard;
    std::string content;
    bool over = false;
    for (std::size_t at = 0; at < input.size() && !over && !session.closed(); at += step) {
        session.feed(input.substr(at, step));
        while (auto effect = session.next()) {
            if (std::holds_alternative<StartHandshake>(*effect)) {
                over = true;
                break;
            }
            if (const auto* bytes = std::get_if<ContentBytes>(&*effect)) content += bytes->bytes;
            else if (std::holds_alternative<CheckSender>(*effect)) {
                content.clear();
                session.answer({250, "2.1.0", "ok"});
            } else if (const auto* check = std::get_if<CheckRecipient>(&*effect))
                session.answer(check->rcpt.path.local_part == "no" ? Reply{550, "5.1.1", "no"}
                                                                   : Reply{250, "2.1.5", "ok"});
            else if (std::holds_alternative<EndContent>(*effect)) {
                heard.content += content;
                session.answer({250, "2.0.0", "ok"});
            } else if (const auto* begin = std::get_if<BeginAuthentication>(&*effect)) {
                if (begin->response)
                    session.auth_succeeded("ann@here.test", begin->mechanism == "PLAIN"
                                                                ? std::nullopt
                                                                : std::optional<std::string>("v=x"));
                else session.auth_challenge("more");
            } else if (const auto* next = std::get_if<ContinueAuthentication>(&*effect)) {
                if (next->response.empty()) session.auth_failed({535, "5.7.8", "no"});
                else session.auth_succeeded("ann@here.test", std::nullopt);
            }
        }
        heard.replies += session.take_output();
    }
    return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0 || size > 20'000) return 0;
    SessionSettings settings;
    settings.hostname = "mx.test";
    settings.limits = {.max_size = 4096,
                       .max_recipients = 10,
                       .max_messages = 5,
                       .max_errors = 20,
                       .max_auth_failures = 3,
                       .max_received = 5};
    settings.service = (bytes[0] & 1) != 0 ? Service::Submission : Service::Mx;
    settings.tls_available = (bytes[0] & 2) != 0;
    settings.mechanisms = settings.mechanisms_cb = settings.mechanisms_clear = {"PLAIN", "LOGIN", "SCRAM-SHA-256"};
    const std::string_view input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const auto whole = converse(settings, input, input.size() + 1);
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{61}})
        if (converse(settings, input, step) != whole) std::abort();
    return 0;
}
