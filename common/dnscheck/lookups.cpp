// SPDX-License-Identifier: MIT
#include "common/dnscheck/lookups.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::dnscheck {
namespace {

constexpr std::size_t kMaxRecords = 256;  // of one name and type; hostile answers are cut here
constexpr int kMaxAliases = 8;

void put_data(Answer& answer, dns::Type type, const std::vector<std::string>& records) {
    for (const auto& record : records) {
        if (answer.data.size() >= kMaxRecords) break;
        if (auto data = canonical_data(type, record)) answer.data.push_back(std::move(*data));
    }
    answer.state = answer.data.empty() ? Answer::State::Nothing : Answer::State::Found;
}

}  // namespace

Answer NetworkSource::ask(std::string_view name, dns::Type type) {
    Answer answer;
    answer.canonical = name;
    std::string escaped;
    for (const char c : name) {
        if (text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.') escaped += c;
        else escaped += fmt::format("\\{:03}", static_cast<unsigned char>(c));
    }
    auto raw = resolver_.query(escaped, type);
    if (!raw) {
        if (raw.error().code == Errc::BadInput) return answer;
        answer.state = Answer::State::Failed;
        answer.error = std::move(raw.error().text);
        return answer;
    }
    answer.secure = raw->security == dns::Security::Secure;
    answer.bogus = raw->bogus;
    answer.error = std::move(raw->why_bogus);
    answer.canonical = std::move(raw->canonical);
    std::vector<std::string> written;
    for (const auto& rdata : raw->rdata)
        if (auto data = dns::format_rdata(type, rdata)) written.push_back(std::move(*data));
    put_data(answer, type, written);
    // Nothing to show and not to be believed: that is no answer.
    if (answer.bogus && !answer.found()) answer.state = Answer::State::Failed;
    return answer;
}

Answer TableSource::ask(std::string_view name, dns::Type type) {
    Answer answer;
    answer.canonical = type == dns::Type::Cname ? without_dot(name) : table_.canonical(name);
    auto lookup = type == dns::Type::Cname ? table_.find_alias(name) : table_.find(name, dns::type_name(type));
    answer.secure = lookup.secure;
    answer.error = std::move(lookup.error);
    if (lookup.outcome == mailauth::Outcome::TempError) answer.state = Answer::State::Failed;
    else put_data(answer, type, lookup.records);
    answer.bogus = table_.is_bogus(answer.canonical);
    if (answer.bogus && answer.error.empty()) answer.error = "the file says so";
    return answer;
}

Lookups::Lookups(Source& source, const Limits& limits)
    : source_(source), limits_(limits), deadline_(std::chrono::steady_clock::now() + limits.time) {}

void Lookups::renew_limits() {
    questions_ = 0;
    deadline_ = std::chrono::steady_clock::now() + limits_.time;
}

Answer Lookups::fetch(const std::string& name, dns::Type type) {
    Answer answer;
    answer.canonical = name;
    // Names with escapes are nobody's host; they are shown where they stand, not asked for.
    if (!mailauth::fits_dns(name) || name.find('\\') != std::string::npos) return answer;
    if (freed_.contains(name)) return answer;
    if (++questions_ > limits_.questions || std::chrono::steady_clock::now() > deadline_) {
        answer.state = Answer::State::Failed;
        answer.error = fmt::format("not asked for {}: {} questions were enough", text::printable(name, 100),
                                   std::min(questions_, limits_.questions));
        return answer;
    }
    answer = source_.ask(name, type);
    if (answer.failed() && answer.error.empty()) answer.error = fmt::format("no answer for {}", name);
    return answer;
}

const Answer& Lookups::ask(std::string_view name, dns::Type type) {
    std::string key = without_dot(name);
    if (type != dns::Type::Cname)
        for (int i = 0; i < kMaxAliases; ++i) {
            const auto alias = aliases_.find(key);
            if (alias == aliases_.end()) break;
            key = alias->second;
        }
    auto at = known_.find({key, type});
    if (at == known_.end()) at = known_.emplace(std::pair{key, type}, fetch(key, type)).first;
    // Where an alias leads, something may have changed since.
    const std::string& canonical = at->second.canonical;
    if (type != dns::Type::Cname && canonical != key && changed_.contains({canonical, type}))
        return known_.at({canonical, type});
    return at->second;
}

void Lookups::apply(const Change& change) {
    const Record& record = change.record;
    if (record.type == dns::Type::Cname) {
        // What the alias led to is not at this name any more, or is from now on.
        std::erase_if(known_, [&](const auto& entry) { return entry.first.first == record.name; });
        if (change.op == Change::Op::Delete) {
            freed_.insert(record.name);
            aliases_.erase(record.name);
        } else {
            aliases_[record.name] = without_dot(record.data);
        }
    }
    (void)ask(record.name, record.type);
    changed_.emplace(record.name, record.type);
    Answer& answer = known_[{record.name, record.type}];
    std::erase(answer.data, record.data);
    if (change.op == Change::Op::Add) answer.data.push_back(record.data);
    answer.state = answer.data.empty() ? Answer::State::Nothing : Answer::State::Found;
    answer.canonical = record.name;
}

mailauth::Lookup<std::string> Lookups::strings(std::string_view name, dns::Type type) {
    const Answer& answer = ask(name, type);
    mailauth::Lookup<std::string> lookup;
    lookup.secure = answer.secure;
    if (answer.failed()) {
        lookup.outcome = mailauth::Outcome::TempError;
        lookup.error = answer.error;
    } else if (answer.found()) {
        lookup.outcome = mailauth::Outcome::Found;
        lookup.records = answer.data;
    }
    return lookup;
}

mailauth::Lookup<std::string> Lookups::txt(std::string_view name) { return strings(name, dns::Type::Txt); }
mailauth::Lookup<std::string> Lookups::a(std::string_view name) { return strings(name, dns::Type::A); }
mailauth::Lookup<std::string> Lookups::aaaa(std::string_view name) { return strings(name, dns::Type::Aaaa); }

mailauth::Lookup<dns::Mx> Lookups::mx(std::string_view name) {
    const auto raw = strings(name, dns::Type::Mx);
    mailauth::Lookup<dns::Mx> lookup{raw.outcome, {}, raw.error, raw.secure};
    for (const auto& data : raw.records)
        if (auto mx = read_mx(data)) lookup.records.push_back(std::move(*mx));
    std::stable_sort(lookup.records.begin(), lookup.records.end(),
                     [](const dns::Mx& x, const dns::Mx& y) { return x.preference < y.preference; });
    return lookup;
}

mailauth::Lookup<std::string> Lookups::ptr(std::string_view ip) {
    const auto name = dns::reverse_name(ip);
    if (!name) return {};
    auto lookup = strings(*name, dns::Type::Ptr);
    for (auto& each : lookup.records) each = without_dot(each);
    return lookup;
}

}  // namespace gk::dnscheck
