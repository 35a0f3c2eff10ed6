// SPDX-License-Identifier: MIT
#include "common/reports/ingest.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/message/structure.hpp"
#include "common/message/text.hpp"
#include "common/reports/aggregate_xml.hpp"
#include "common/reports/tls_json.hpp"

namespace gk::reports {
namespace {

constexpr std::size_t kMostReports = 20;

enum class Looks { Packed, Xml, Json, Else };

Looks looks(std::string_view bytes) {
    if (bytes.starts_with("\x1f\x8b") || bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06"))
        return Looks::Packed;
    if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) return Looks::Xml;  // UTF-16
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    while (!bytes.empty() && text::is_space(bytes.front())) bytes.remove_prefix(1);
    if (bytes.starts_with('<')) return Looks::Xml;
    return bytes.starts_with('{') ? Looks::Json : Looks::Else;
}

bool may_be_report(const message::Part& part, std::string_view name) {
    if (part.kind != message::Part::Kind::Leaf) return false;
    for (const auto& [type, subtype] : {std::pair<std::string_view, std::string_view>{"application", "gzip"},
                                        {"application", "x-gzip"},
                                        {"application", "gzip-compressed"},
                                        {"application", "zip"},
                                        {"application", "x-zip"},
                                        {"application", "x-zip-compressed"},
                                        {"application", "xml"},
                                        {"text", "xml"},
                                        {"application", "tlsrpt+gzip"},
                                        {"application", "tlsrpt+json"},
                                        {"application", "json"}})
        if (part.is(type, subtype)) return true;
    const std::string lower = text::lower(name);
    for (const char* end : {".xml", ".xml.gz", ".gz", ".zip", ".json", ".json.gz"})
        if (lower.ends_with(end)) return true;
    return false;
}

// One report on its way: what it is shows in its first octets, unpacked.
class Reading {
public:
    Reading(const ParseLimits& limits, Store& store, TimePoint now) : limits_(limits), store_(store), now_(now) {}

    Status feed(std::string_view piece) {
        if (!kind_) {
            begin_ += piece;
            if (begin_.size() < 4 || looks(begin_) == Looks::Else) {
                if (begin_.size() > 4096) return not_a_report();
                return ok();
            }
            GK_CHECK(start());
            const std::string begin = std::move(begin_);
            return pass(begin);
        }
        return pass(piece);
    }

    Result<Ingested> finish() {
        if (!kind_) {
            const Looks is = looks(begin_);
            if (is != Looks::Xml && is != Looks::Json) return fail(not_a_report().error());
            GK_CHECK(start());
            GK_CHECK(pass(std::string(std::move(begin_))));
        }
        Ingested out;
        out.kind = *kind_;
        bool fresh = false;
        if (*kind_ == Kind::Dmarc) {
            GK_TRY(const AggregateHead head, xml_->finish());
            GK_TRY(fresh, of_store(store_.finish_aggregate(head)));
            out.domain = head.domain;
            out.organization = head.organization;
            out.report_id = head.report_id;
        } else {
            GK_TRY(const TlsReport report, parse_tls_report(json_, limits_));
            GK_TRY(fresh, of_store(store_.add(report, to_unix_s(now_))));
            out.domain = report.policies.front().domain;
            out.organization = report.organization;
            out.report_id = report.report_id;
        }
        out.outcome = fresh ? Ingested::Outcome::Stored : Ingested::Outcome::Duplicate;
        return out;
    }
    // The error was the database's, not the report's.
    bool store_failed() const noexcept { return store_failed_; }

private:
    static Status not_a_report() { return fail(Errc::BadInput, "neither a DMARC aggregate report nor a TLS report"); }

    template <class T>
    T of_store(T result) {
        if (!result) store_failed_ = true;
        return result;
    }

    Status start() {
        const Looks is = looks(begin_);
        if (is == Looks::Packed) return fail(Errc::BadInput, "an archive in an archive is no report");
        kind_ = is == Looks::Json ? Kind::Tls : Kind::Dmarc;
        if (*kind_ == Kind::Tls) return ok();
        GK_CHECK(of_store(store_.begin_aggregate(to_unix_s(now_))));
        xml_ = std::make_unique<AggregateParser>(
            limits_, [this](AggregateRecord record) { return of_store(store_.add(record)); });
        return ok();
    }

    Status pass(std::string_view piece) {
        if (xml_) return xml_->feed(piece);
        if (json_.size() + piece.size() > limits_.size / 4)
            return fail(Errc::BadInput, fmt::format("the report is larger than {}, a quarter of reports.max_size",
                                                    text::format_size(limits_.size / 4)));
        json_ += piece;
        return ok();
    }

    const ParseLimits& limits_;
    Store& store_;
    TimePoint now_;
    std::string begin_, json_;
    std::optional<Kind> kind_;
    std::unique_ptr<AggregateParser> xml_;
    bool store_failed_ = false;
};

Result<Ingested> ingest_one(const Attachment& report, const ParseLimits& limits, Store& store, TimePoint now) {
    Reading reading(limits, store, now);
    const auto done = unpack(report.bytes, limits, [&](std::string_view piece) { return reading.feed(piece); });
    auto ingested = done ? reading.finish() : Result<Ingested>(fail(done.error()));
    if (!ingested) {
        store.abandon();
        if (reading.store_failed()) return ingested;
        Ingested refused;
        refused.error = ingested.error().text;
        ingested = std::move(refused);
    }
    ingested->name = report.name;
    return ingested;
}

}  // namespace

std::vector<Attachment> find_reports(std::string_view message, const ParseLimits& limits) {
    std::vector<Attachment> out;
    for (const auto& part : message::scan(message).parts) {
        const std::string name = clean(message::file_name(part), 255);
        if (!may_be_report(part, name)) continue;
        Attachment& attachment = out.emplace_back();
        attachment.name = name;
        message::read_content(message, part, [&](std::string_view piece) {
            attachment.bytes += piece;
            return attachment.bytes.size() <= limits.size;
        });
        if (out.size() == kMostReports) break;
    }
    return out;
}

Result<std::vector<Ingested>> ingest(std::string_view bytes, const ParseLimits& limits, Store& store, TimePoint now) {
    std::vector<Attachment> reports;
    if (looks(bytes) != Looks::Else) reports.push_back({"", std::string(bytes)});
    else reports = find_reports(bytes, limits);
    std::vector<Ingested> out;
    for (const auto& report : reports) {
        GK_TRY(auto ingested, ingest_one(report, limits, store, now));
        out.push_back(std::move(ingested));
    }
    return out;
}

}  // namespace gk::reports
