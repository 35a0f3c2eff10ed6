// SPDX-License-Identifier: MIT
#include <algorithm>
#include <iterator>

#include "common/address/list.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/message/header.hpp"
#include "common/spam/readers.hpp"

namespace gk::spam {

namespace {

constexpr std::size_t kMostReceived = 12;
constexpr std::size_t kMostRecipients = 20;
constexpr std::size_t kMostField = 2000;

// Written by filters, this one too, and by what fetches and stores mail: they judge another verdict, not the message.
constexpr std::string_view kPassedOver[] = {"x-spam",
                                            "x-gk-",
                                            "x-bogosity",
                                            "x-rspamd",
                                            "x-virus",
                                            "x-ham",
                                            "x-dspam",
                                            "x-crm114",
                                            "x-mozilla-",
                                            "x-uid",
                                            "status",
                                            "x-status",
                                            "authentication-results",
                                            "arc-",
                                            "received-spf",
                                            "dkim-signature"};
// Their words are features; of other fields only that they are there, and how they begin.
constexpr std::string_view kRead[] = {
    "x-mailer",         "user-agent", "organization", "precedence",   "list-id",
    "x-priority",       "importance", "sender",       "return-path",  "errors-to",
    "mailing-list",     "x-mimeole",  "mime-version", "content-type", "content-transfer-encoding",
    "list-unsubscribe", "x-loop",     "x-beenthere"};

bool begins_with_one_of(std::string_view name, const std::string_view* begin, const std::string_view* end) {
    return std::any_of(begin, end, [&](std::string_view each) { return name.starts_with(each); });
}

// A text's outline: letters and digits that do not tell anything else than which program made it. "A1-a" for
// "ABC12-ab".
std::string outline(std::string_view value) {
    std::string out;
    for (const char c : value.substr(0, 100)) {
        const char mark = text::is_digit(c) ? '1' : c >= 'A' && c <= 'Z' ? 'A' : c >= 'a' && c <= 'z' ? 'a' : c;
        if (out.empty() || out.back() != mark) out += mark;
        if (out.size() > 30) break;
    }
    return out;
}

class Reader {
public:
    Reader(std::string_view block, const message::Envelope& envelope, Features& features)
        : block_(block), envelope_(envelope), features_(features) {}
    void run();

private:
    void field(const std::string& name, std::string_view value);
    void received(std::string_view value);
    void authentication(std::string_view value);
    void senders();
    void recipients();
    void identity();

    std::string_view block_;
    const message::Envelope& envelope_;
    Features& features_;
    std::size_t received_ = 0;
};

// What gk-smtpd found: "spf=pass", "dkim=fail", "dnswl=pass". Only above the first Received field, where nobody else
// can have written.
void Reader::authentication(std::string_view value) {
    const std::string plain = message::without_comments(value.substr(0, kMostField));
    for (const auto result : text::split(plain, ';')) {
        const auto words = text::words(result);
        if (words.empty() || words[0].find('=') == std::string_view::npos) continue;
        features_.add("auth", text::lower(words[0]));
    }
}

void Reader::received(std::string_view value) {
    if (++received_ > kMostReceived) return;
    const std::string line = message::unfold(value, kMostField);
    for (const auto word : text::words(std::string_view(line).substr(0, std::min(line.rfind(';'), line.size())))) {
        std::string_view name = word;
        while (!name.empty() && std::string_view("([<").find(name.front()) != std::string_view::npos)
            name.remove_prefix(1);
        while (!name.empty() && std::string_view(")]>,;").find(name.back()) != std::string_view::npos)
            name.remove_suffix(1);
        if (name.empty() || name.size() > 100) continue;
        const bool number = name.find_first_not_of("0123456789.") == std::string_view::npos;
        if (number && std::count(name.begin(), name.end(), '.') == 3) {
            // An address, and the networks it is of.
            for (int octets = 4; octets >= 2; --octets) {
                features_.add("relay", name);
                name = name.substr(0, name.rfind('.'));
            }
        } else if (name.find('.') != std::string_view::npos && name.find('@') == std::string_view::npos && !number) {
            add_host(features_, "relay", name);
        } else if (name.find_first_of("0123456789@") == std::string_view::npos) {
            features_.add("relay-word", name);
        }
    }
}

void Reader::senders() {
    if (envelope_.from.empty()) features_.add("from", "nobody");
    std::string from;
    for (const auto& each : envelope_.from) {
        if (each.kind != address::Listed::Kind::Mailbox) continue;
        from = text::lower(each.local_part + '@' + each.domain);
        features_.add("from", from);
        features_.add("from-local", text::lower(each.local_part));
        features_.add("from-outline", outline(each.local_part));
        add_host(features_, "from-domain", each.domain);
        const std::string name = message::decode_words(each.name);
        add_words(features_, "from-name", name, true);
        if (name.empty()) features_.add("from-name", "");
        if (name.find('@') != std::string::npos) features_.add("from-name", "an address");
    }
    for (const auto& each : envelope_.reply_to) {
        const std::string reply = text::lower(each.local_part + '@' + each.domain);
        features_.add("reply-to", reply == from ? "the sender" : "another");
        add_host(features_, "reply-domain", each.domain);
    }
}

void Reader::recipients() {
    std::size_t count = 0;
    for (const auto* list : {&envelope_.to, &envelope_.cc}) {
        for (const auto& each : *list) {
            if (each.kind != address::Listed::Kind::Mailbox || ++count > kMostRecipients) continue;
            features_.add("to", text::lower(each.local_part + '@' + each.domain));
            add_host(features_, "to-domain", each.domain);
            features_.add("to-name", each.name.empty() ? "no name" : "with a name");
            add_words(features_, "to-name", message::decode_words(each.name), false);
        }
    }
    features_.add("recipients", magnitude(count));
}

void Reader::identity() {
    if (!envelope_.message_id) features_.add("message-id", "none");
    else {
        std::string_view id = text::trim(*envelope_.message_id);
        const std::size_t at = id.rfind('@');
        features_.add("message-id", outline(id.substr(0, at)));
        if (at != std::string_view::npos) {
            id = id.substr(at + 1);
            add_host(features_, "message-id-domain", id.substr(0, id.find('>')));
        }
    }
    if (envelope_.in_reply_to) features_.add("in-reply-to", "some");
    if (!envelope_.date) features_.add("date", "none");
    else {
        // The zone and how it is written, but not the day: what is learned is to hold tomorrow.
        const auto words = text::words(*envelope_.date);
        features_.add("date-outline", outline(*envelope_.date));
        if (!words.empty() && words.size() > 4) features_.add("date-zone", words.back());
        if (words.size() > 5) features_.add("date-zone", words[5]);
    }
    if (!envelope_.subject) features_.add("subject", "none");
    else {
        const std::string subject = message::decode_text(*envelope_.subject);
        add_words(features_, "subject", subject, true);
        if (subject.find('!') != std::string::npos) features_.add("subject-mark", "!");
        if (subject.find('?') != std::string::npos) features_.add("subject-mark", "?");
        if (subject.find('$') != std::string::npos) features_.add("subject-mark", "$");
        if (subject.find("    ") != std::string::npos) features_.add("subject-mark", "wide gap");
        if (envelope_.subject->find("=?") != std::string::npos) features_.add("subject-mark", "encoded");
        if (!text::is_ascii(*envelope_.subject)) features_.add("subject-mark", "8-bit");
        if (std::none_of(subject.begin(), subject.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
            features_.add("subject-mark", "no small letter");
    }
}

void Reader::field(const std::string& name, std::string_view value) {
    if (name == "received") return received(value);
    if (name == "authentication-results" && received_ == 0) return authentication(value);
    if (begins_with_one_of(name, std::begin(kPassedOver), std::end(kPassedOver))) return;
    features_.add("field", name);
    if (std::find(std::begin(kRead), std::end(kRead), name) == std::end(kRead)) return;
    const std::string text = message::decode_text(value.substr(0, kMostField));
    add_words(features_, name, text, true);
}

void Reader::run() {
    message::FieldReader reader(block_);
    std::string before;
    for (message::Field each; reader.next(each);) {
        const std::string name = text::lower(each.name.substr(0, 60));
        field(name, each.value);
        // In which order a program writes its fields, tells programs apart that deny it.
        if (name == "received" || begins_with_one_of(name, std::begin(kPassedOver), std::end(kPassedOver))) continue;
        features_.add("field-order", before, ">", name);
        before = name;
    }
    features_.add("hops", magnitude(received_));
    senders();
    recipients();
    identity();
}

}  // namespace

void read_header(std::string_view file, const message::Structure& structure, const FeatureLimits& limits,
                 Features& features) {
    const auto& root = structure.root();
    const std::size_t end = std::min<std::size_t>({root.body_begin, file.size(), limits.header});
    Reader(file.substr(0, end), structure.envelope(), features).run();
}

}  // namespace gk::spam
