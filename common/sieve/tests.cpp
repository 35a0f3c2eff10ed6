// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "common/address/list.hpp"
#include "common/base/digest.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/message/date.hpp"
#include "common/message/header.hpp"
#include "common/sieve/dates.hpp"
#include "common/sieve/flags.hpp"
#include "common/sieve/machine.hpp"
#include "common/sieve/mailto.hpp"

// The tests of RFC 5228, 5, and those that extensions add; body is in parts.cpp.
namespace gk::sieve {

bool Machine::evaluate(const Node& node) {
    switch (node.op) {
        case Op::Address: return address(node);
        case Op::Envelope: return envelope(node);
        case Op::Exists: return exists(node);
        case Op::Header: return header(node);
        case Op::Body: return body(node);
        case Op::Hasflag: return hasflag(node);
        case Op::String: return string(node);
        case Op::Date: return date(node);
        case Op::Currentdate: return currentdate(node);
        case Op::Environment: return environment(node);
        case Op::Duplicate: return duplicate(node);
        case Op::Spamtest:
        case Op::Virustest: return spam(node);
        case Op::Metadata:
        case Op::Metadataexists:
        case Op::Servermetadata:
        case Op::Servermetadataexists: return metadata(node);
        case Op::Ihave: return node.number != 0;
        case Op::Size: {  // RFC 5228, 5.9
            const std::uint64_t octets = mail_->octets();
            if (tracing()) note(std::to_string(octets));
            return node.is(flag::Over) ? octets > node.number : octets < node.number;
        }
        case Op::Mailboxexists: {
            std::string scratch;
            return std::all_of(node.args[0].begin(), node.args[0].end(), [&](const Text& each) {
                return budget_.spend(kAsked) && host_->mailbox_exists(text(each, scratch));
            });
        }
        case Op::SpecialUseExists: {
            const std::string mailbox = node.args[0].empty() ? std::string() : text(node.args[0][0]);
            std::string scratch;
            return std::all_of(node.args[1].begin(), node.args[1].end(), [&](const Text& each) {
                return budget_.spend(kAsked) && host_->special_use_exists(mailbox, text(each, scratch));
            });
        }
        case Op::ValidNotifyMethod: {
            std::string why;
            return std::all_of(node.args[0].begin(), node.args[0].end(), [&](const Text& each) {
                const std::string method = text(each);
                return budget_.spend(256 + method.size()) && parse_mailto(method, why).has_value();
            });
        }
        case Op::NotifyMethodCapability: {  // RFC 5436, 2.7: whether somebody is there cannot be known by mail
            std::string why;
            const bool valid = parse_mailto(text(node.args[0][0]), why).has_value();
            Matcher matcher(*this, node, node.args[2]);
            if (valid && text::equals_nocase(text(node.args[1][0]), "online")) matcher.value("maybe");
            return valid && matcher.finish();
        }
        case Op::ValidExtList:
            return std::all_of(node.args[0].begin(), node.args[0].end(), [&](const Text& each) {
                return budget_.spend(kAsked) && host_->in_list(text(each), "").has_value();
            });
        default: return bench_ && bench_->test(*this, node);
    }
}

std::uint32_t Machine::part_here() {
    if (loops_.empty() || loops_.back().part >= mail_->structure().parts.size()) return 0;
    return loops_.back().part;
}

std::vector<std::uint32_t> Machine::parts_of(const Node& node) {
    const std::uint32_t at = part_here();
    std::vector<std::uint32_t> parts{at};
    if (!node.is(flag::Anychild)) return parts;
    const auto& all = mail_->structure().parts;
    for (std::uint32_t i = at + 1; i < all.size() && all[i].depth > all[at].depth; ++i) parts.push_back(i);
    return parts;
}

bool Machine::each_field(const Node& node, const Texts& names,
                         const std::function<bool(std::string_view name, HeaderField& field)>& take) {
    const Tagged* index = node.find(Slot::Index);
    const auto through = [&](std::vector<HeaderField>& fields) {
        std::string scratch;
        for (const Text& each : names) {
            const std::string_view name = text(each, scratch);
            if (!budget_.spend(64 + fields.size() * 4)) return fail(node, {}), true;
            std::uint64_t wanted = index ? index->number : 0, seen = 0;
            if (index && node.is(flag::Last)) {  // RFC 5260, 6: counted from the end
                const auto count =
                    static_cast<std::uint64_t>(std::count_if(fields.begin(), fields.end(), [&](const HeaderField& f) {
                        return text::equals_nocase(f.name, name);
                    }));
                if (wanted > count) continue;
                wanted = count - wanted + 1;
            }
            for (HeaderField& field : fields) {
                if (!text::equals_nocase(field.name, name) || name.empty()) continue;
                if (wanted != 0 && ++seen != wanted) continue;
                if (take(name, field) || failed_) return true;
            }
        }
        return false;
    };
    if (!node.is(flag::Mime)) return through(mail_->fields());
    for (const std::uint32_t part : parts_of(node)) {
        if (part == 0) {
            if (through(mail_->fields())) return true;
            continue;
        }
        const std::string_view block = mail_->header_of(part);
        if (!budget_.spend(block.size())) return fail(node, {}), true;
        std::vector<HeaderField> fields;
        read_fields(block, fields);
        if (through(fields)) return true;
    }
    return false;
}

// RFC 5228, 5.7; RFC 5703, 4.2.
bool Machine::header(const Node& node) {
    Matcher matcher(*this, node, node.args[1]);
    const Tagged* params = node.find(Slot::Param);
    const bool structured = params || node.is(flag::Type | flag::Subtype | flag::ContentType);
    each_field(node, node.args[0], [&](std::string_view, HeaderField& field) {
        if (!structured) return matcher.value(Mail::text_of(field));
        if (!budget_.spend(field.value.size() + 16)) return fail(node, {}), true;
        const message::Structured parsed = message::parse_structured(field.value);
        if (params) {
            for (const std::string& name : list(params->texts))
                if (const auto value = message::find_parameter(parsed.parameters, text::lower(name)))
                    if (matcher.value(*value)) return true;
            return false;
        }
        const std::size_t slash = parsed.value.find('/');
        if (node.is(flag::Type)) return matcher.value(std::string_view(parsed.value).substr(0, slash));
        if (node.is(flag::Subtype))
            return matcher.value(slash == std::string::npos ? "" : std::string_view(parsed.value).substr(slash + 1));
        return matcher.value(parsed.value);
    });
    return matcher.finish();
}

bool Machine::exists(const Node& node) {
    return std::all_of(node.args[0].begin(), node.args[0].end(), [&](const Text& name) {
        bool found = false;
        each_field(node, Texts{name}, [&](std::string_view, HeaderField&) { return found = true; });
        return found;
    });
}

// RFC 5228, 2.7.4; RFC 5233, 4: the first delimiter counts; without one there is no detail that could match.
bool Machine::address_value(Matcher& matcher, const Node& node, std::string_view local, std::string_view domain) {
    const std::size_t at = facts_->subaddress_delimiter.empty() ? std::string_view::npos
                                                                : local.find_first_of(facts_->subaddress_delimiter);
    switch (node.part) {
        case AddressPart::All: {
            if (domain.empty()) return matcher.value(local);
            std::string whole;
            whole.reserve(local.size() + domain.size() + 1);
            return matcher.value(whole.append(local).append("@").append(domain));
        }
        case AddressPart::Localpart: return matcher.value(local);
        case AddressPart::Domain: return matcher.value(domain);
        case AddressPart::User: return matcher.value(local.substr(0, at));
        case AddressPart::Detail: return at != std::string_view::npos && matcher.value(local.substr(at + 1));
    }
    return false;
}

// RFC 5228, 5.1: groups and display names are passed over.
bool Machine::address(const Node& node) {
    Matcher matcher(*this, node, node.args[1]);
    each_field(node, node.args[0], [&](std::string_view, HeaderField& field) {
        if (!budget_.spend(field.value.size() + 16)) return fail(node, {}), true;
        for (const address::Listed& each : Mail::addresses_of(field))
            if (each.kind == address::Listed::Kind::Mailbox && (!each.local_part.empty() || !each.domain.empty()) &&
                address_value(matcher, node, each.local_part, each.domain))
                return true;
        return false;
    });
    return matcher.finish();
}

// RFC 5228, 5.4: of the null reverse-path every part is empty.
bool Machine::envelope(const Node& node) {
    Matcher matcher(*this, node, node.args[1]);
    for (const Text& part : node.args[0]) {
        const bool from = text::equals_nocase(text(part), "from");
        if (!from && !text::equals_nocase(text(part), "to")) continue;
        const std::string_view path = from ? facts_->reverse_path : facts_->recipient;
        if (path.empty()) {
            if (from && matcher.value("")) break;
            continue;
        }
        if (const auto parsed = address::parse_address(path)) {
            if (address_value(matcher, node, parsed->local_part, parsed->domain)) break;
        } else if (address_value(matcher, node, path, "")) {
            break;
        }
    }
    return matcher.finish();
}

// RFC 5232, 4: variables may hold several flags; without one it is the internal variable.
bool Machine::hasflag(const Node& node) {
    std::vector<std::string> flags;
    if (node.args[0].empty()) flags = flags_;
    for (const Text& name : node.args[0]) {
        const std::string wanted = text::lower(text(name));
        const Unit& here = unit();
        if (!budget_.spend(wanted.size() + 16 * (here.variables.size() + program_.globals.size()))) break;
        for (std::uint32_t i = 0; i < here.variables.size(); ++i)
            if (here.variables[i] == wanted) take_words(flags, variable(i));
        for (std::uint32_t i = 0; i < program_.globals.size(); ++i)
            if ("global." + program_.globals[i] == wanted) take_words(flags, globals_[i]);
    }
    // The list of keys is a list of flags too: "\\Seen \\Draft" are two.
    Texts keys;
    for (const Text& key : node.args[1]) {
        const std::string expanded = text(key);
        if (!budget_.spend(expanded.size() * 4)) return fail(node, {}), false;
        if (node.matching.type != Match::Count && node.matching.type != Match::Regex) {
            for (const std::string_view word : text::words(expanded))
                keys.push_back({std::string(word), {}, nullptr, {}});
        } else {
            keys.push_back({expanded, {}, key.regex, {}});
        }
    }
    Matcher matcher(*this, node, keys);
    for (const std::string& each : flags)
        if (matcher.value(each)) break;
    return matcher.finish();
}

// RFC 5229, 5: ":count" counts the strings that are not empty.
bool Machine::string(const Node& node) {
    Matcher matcher(*this, node, node.args[1]);
    std::string scratch;
    for (const Text& each : node.args[0]) {
        const std::string_view value = text(each, scratch);
        if (node.matching.type == Match::Count && value.empty()) continue;
        if (matcher.value(value)) break;
    }
    return matcher.finish();
}

// RFC 5260, 4.
bool Machine::date(const Node& node) {
    Matcher matcher(*this, node, node.args[2]);
    const std::string part = text(node.args[1][0]);
    const Tagged* zone = node.find(Slot::Zone);
    each_field(node, node.args[0], [&](std::string_view name, HeaderField& field) {
        std::string_view value = field.value;
        if (!budget_.spend(value.size() + 16)) return fail(node, {}), true;
        // "Received: …; date": what stands behind the last semicolon (RFC 5260, 4).
        if (text::equals_nocase(name, "received"))
            if (const std::size_t semicolon = value.rfind(';'); semicolon != std::string_view::npos)
                value.remove_prefix(semicolon + 1);
        auto written = message::parse_date(value);
        if (!written) return false;
        written->second = std::min(written->second, 59);  // a leap second is part of the day that it ends
        const std::int64_t unix_s = to_unix_s(written->utc());
        int minutes = facts_->zone_min ? *facts_->zone_min : local_zone_min(unix_s);
        if (node.is(flag::OriginalZone)) minutes = written->offset_min;
        if (zone) {
            const auto given = parse_zone(text(zone->texts[0]));
            if (!given) return fail(node, "a zone is written \"+hhmm\" or \"-hhmm\""), true;
            minutes = *given;
        }
        const std::string shown = date_part(part, unix_s, minutes);
        return !shown.empty() && matcher.value(shown);
    });
    return matcher.finish();
}

bool Machine::currentdate(const Node& node) {
    Matcher matcher(*this, node, node.args[1]);
    const std::int64_t unix_s = facts_->now_s ? facts_->now_s : to_unix_s(now());
    int minutes = facts_->zone_min ? *facts_->zone_min : local_zone_min(unix_s);
    if (const Tagged* zone = node.find(Slot::Zone)) {
        const auto given = parse_zone(text(zone->texts[0]));
        if (!given) return fail(node, "a zone is written \"+hhmm\" or \"-hhmm\""), false;
        minutes = *given;
    }
    const std::string shown = date_part(text(node.args[0][0]), unix_s, minutes);
    if (!shown.empty()) matcher.value(shown);
    return matcher.finish();
}

// RFC 5183, 4. An item that is not known matches nothing; one that is known and has no value here is empty.
bool Machine::environment(const Node& node) {
    Matcher matcher(*this, node, node.args[1]);
    const std::string name = text::lower(text(node.args[0][0]));
    const std::pair<std::string_view, std::string_view> items[] = {
        {"domain", facts_->domain},       {"host", facts_->host_name},
        {"location", facts_->location},   {"name", "gk"},
        {"phase", facts_->phase},         {"remote-host", facts_->remote_host},
        {"remote-ip", facts_->remote_ip}, {"version", GK_VERSION},
    };
    for (const auto& [item, value] : items)
        if (item == name) return matcher.value(value), matcher.finish();
    if (const auto value = host_->environment(name)) matcher.value(*value);
    return matcher.finish();
}

// RFC 5490, 3.3 to 3.5 and 4.
bool Machine::metadata(const Node& node) {
    const bool server = node.op == Op::Servermetadata || node.op == Op::Servermetadataexists;
    const std::string mailbox = server ? std::string() : text(node.args[0][0]);
    const Texts& names = node.args[server ? 0 : 1];
    if (node.op == Op::Metadataexists || node.op == Op::Servermetadataexists)
        return std::all_of(names.begin(), names.end(), [&](const Text& each) {
            return budget_.spend(kAsked) && host_->metadata(mailbox, text(each)).has_value();
        });
    Matcher matcher(*this, node, node.args[server ? 1 : 2]);
    if (!budget_.spend(kAsked)) return fail(node, {}), false;
    if (const auto value = host_->metadata(mailbox, text(names[0]))) matcher.value(*value);
    return matcher.finish();
}

// RFC 7352, 3. What is remembered is a digest: an id of another's choosing may be long.
bool Machine::duplicate(const Node& node) {
    std::string id;
    if (const Tagged* given = node.find(Slot::UniqueId)) {
        id = text(given->texts[0]);
    } else {
        const Tagged* header = node.find(Slot::Header);
        const Texts names = header ? header->texts : Texts{{"message-id", {}, nullptr, {}}};
        bool found = false;
        for (HeaderField& field : mail_->fields())
            if (text::equals_nocase(field.name, text(names[0]))) {
                id = text::trim(message::unfold(field.value));
                found = true;
                break;
            }
        if (!found) return false;
    }
    std::string key = node.find(Slot::Handle) ? text(node.find(Slot::Handle)->texts[0]) : std::string();
    key.append(1, '\0').append(id);
    if (!budget_.spend(kAsked + mail_->fields().size() * 4 + key.size())) return fail(node, {}), false;
    const auto digest = sha256_of(key);
    const std::string hex = text::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
    const bool seen = host_->seen(hex);
    if (seen && !node.is(flag::Last)) return true;
    const Tagged* seconds = node.find(Slot::Seconds);
    std::int64_t keep = seconds ? static_cast<std::int64_t>(
                                      std::min<std::uint64_t>(seconds->number, std::uint64_t(limits_.duplicate_most_s)))
                                : limits_.duplicate_default_s;
    const bool twice = std::any_of(outcome_.remember.begin(), outcome_.remember.end(),
                                   [&](const Remember& each) { return each.id == hex; });
    if (!twice && keep > 0) outcome_.remember.push_back({hex, keep});
    if (outcome_.remember.size() > limits_.actions * std::size_t{4})
        fail(node, "there are too many tests for duplicates");
    return seen;
}

// RFC 5235, 2: 0 is "not tested", then 1 (or 0 percent) for surely no spam to 10 (100 percent).
bool Machine::spam(const Node& node) {
    Matcher matcher(*this, node, node.args[0]);
    if (node.op == Op::Virustest) {
        const auto value = host_->virus_value();
        matcher.value(std::to_string(value ? std::clamp(*value, 0, 5) : 0));
        return matcher.finish();
    }
    const auto percent = host_->spam_percent();
    if (node.is(flag::Percent)) {
        // "untested" has no percentage: the value is empty but for ":count" (RFC 5235, 2.1).
        if (node.matching.type == Match::Count) {
            if (percent) matcher.value("");
        } else {
            matcher.value(std::to_string(percent ? std::clamp(static_cast<int>(std::lround(*percent)), 0, 100) : 0));
        }
    } else if (!percent) {
        matcher.value("0");
    } else {
        const double share = std::clamp(*percent, 0.0, 100.0) / 100;
        matcher.value(std::to_string(share >= 1 ? 10 : 1 + static_cast<int>(share * 9)));
    }
    return matcher.finish();
}

}  // namespace gk::sieve
