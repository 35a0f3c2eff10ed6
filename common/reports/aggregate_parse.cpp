// SPDX-License-Identifier: MIT
#include <expat.h>
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/reports/aggregate_xml.hpp"

namespace gk::reports {
namespace {

// Of one record; a report that says more of one message says nothing more.
constexpr std::size_t kMostSignatures = 100, kMostReasons = 20, kMostSpf = 10;
// Of one tag or comment. Expat begins such a one anew with each piece, which takes time in the square of its length.
constexpr std::size_t kMostPiece = 64 * 1024;
constexpr std::int64_t kMostToken = 256 * 1024;
constexpr std::uint64_t kMostCount = 1'000'000'000'000;
// 2000-01-01 to 2200-01-01: what lies outside is no time of a report.
constexpr std::int64_t kEarliest = 946'684'800, kLatest = 7'258'118'400;

// Windows-1252 where it differs from ISO 8859-1; -1 is unassigned. Reports of AOL and others declare it.
constexpr int kWindows1252[32] = {0x20AC, -1,     0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, -1,     0x017D, -1,
                                  -1,     0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, -1,     0x017E, 0x0178};

int single_byte_encoding(void*, const XML_Char* name, XML_Encoding* encoding) {
    if (!text::equals_nocase(name, "windows-1252") && !text::equals_nocase(name, "cp1252")) return XML_STATUS_ERROR;
    for (int i = 0; i < 256; ++i) encoding->map[i] = i < 0x80 || i > 0x9F ? i : kWindows1252[i - 0x80];
    encoding->data = nullptr;
    encoding->convert = nullptr;
    encoding->release = nullptr;
    return XML_STATUS_OK;
}

}  // namespace

struct AggregateParser::Impl {
    Impl(const ParseLimits& limits_, OnRecord on_record_)
        : limits(limits_), on_record(std::move(on_record_)), parser(::XML_ParserCreate(nullptr)) {
        if (parser == nullptr) throw std::bad_alloc();
        ::XML_SetUserData(parser, this);
        ::XML_SetElementHandler(parser, start, end);
        ::XML_SetCharacterDataHandler(parser, characters);
        ::XML_SetStartDoctypeDeclHandler(parser, doctype);
        ::XML_SetEntityDeclHandler(parser, entity);
        ::XML_SetUnknownEncodingHandler(parser, single_byte_encoding, nullptr);
    }
    ~Impl() { ::XML_ParserFree(parser); }
    Impl(const Impl&) = delete;

    void stop(Error error) {
        if (stopped) return;
        stopped = std::move(error);
        (void)::XML_StopParser(parser, XML_FALSE);
    }
    void stop(std::string why) { stop(Error{Errc::BadInput, std::move(why), 0}); }

    static void XMLCALL doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
        static_cast<Impl*>(self)->stop("the report has a document type, which no report needs: refused");
    }
    static void XMLCALL entity(void* self, const XML_Char*, int, const XML_Char*, int, const XML_Char*, const XML_Char*,
                               const XML_Char*, const XML_Char*) {
        static_cast<Impl*>(self)->stop("the report declares entities, which no report needs: refused");
    }
    static void XMLCALL start(void* self, const XML_Char* name, const XML_Char**) {
        static_cast<Impl*>(self)->open(name);
    }
    static void XMLCALL end(void* self, const XML_Char*) { static_cast<Impl*>(self)->close(); }
    static void XMLCALL characters(void* self, const XML_Char* text, int length) {
        auto& impl = *static_cast<Impl*>(self);
        if (impl.ignored > 0 || length <= 0) return;
        // Indentation before and after counts too: four times the limit holds every honest value.
        const std::size_t room = impl.limits.text * 4 - std::min(impl.limits.text * 4, impl.value.size());
        impl.value.append(text, std::min(room, static_cast<std::size_t>(length)));
    }

    void open(std::string_view name) {
        if (stopped) return;
        if (++depth > limits.depth) return stop(fmt::format("elements are nested deeper than {}", limits.depth));
        value.clear();
        if (ignored > 0) {
            ++ignored;
            return;
        }
        // A prefix is the root's own, or an extension's, which nobody here understands.
        const auto colon = name.find(':');
        const std::string_view prefix = colon == std::string_view::npos ? "" : name.substr(0, colon);
        if (colon != std::string_view::npos) name.remove_prefix(colon + 1);
        if (depth == 1) {
            if (name != "feedback") return stop("not a DMARC aggregate report: the root element is not feedback");
            root_prefix = prefix;
        }
        if (prefix != root_prefix) {
            ignored = 1;
            return;
        }
        lengths.push_back(path.size());
        if (!path.empty()) path += '/';
        path += name.substr(0, 64);
        if (path == "feedback/record") {
            if (++records > limits.records)
                return stop(fmt::format("the report has more than {} records (reports.max_records)", limits.records));
            record = {};
            counted = false;
        } else if (path == "feedback/record/row/policy_evaluated/reason") {
            if (record.reasons.size() < kMostReasons) record.reasons.emplace_back();
            else ignore();
        } else if (path == "feedback/record/auth_results/dkim") {
            if (record.dkim.size() < kMostSignatures) record.dkim.emplace_back();
            else ignore();
        } else if (path == "feedback/record/auth_results/spf") {
            if (record.spf.size() < kMostSpf) record.spf.emplace_back().scope.clear();
            else ignore();
        }
    }

    // The element just opened, and all in it.
    void ignore() {
        path.resize(lengths.back());
        lengths.pop_back();
        ignored = 1;
    }

    void close() {
        if (stopped) return;
        --depth;
        if (ignored > 0) {
            --ignored;
            value.clear();
            return;
        }
        take();
        value.clear();
        path.resize(lengths.back());
        lengths.pop_back();
    }

    void take() {
        if (path == "feedback/record") return finish_record();
        for (const auto& [where, target] : texts) {
            if (path == where) {
                *target() = clean(value, limits.text);
                return;
            }
        }
        if (path == "feedback/record/row/count") {
            const auto number = text::to_uint(text::trim(value));
            if (!number || *number > kMostCount)
                return stop(fmt::format("'{}' is no count of messages", text::printable(text::trim(value), 40)));
            record.count = *number;
            counted = true;
        } else if (path == "feedback/record/row/policy_evaluated/dkim") {
            record.dkim_aligned = text::equals_nocase(text::trim(value), "pass");
        } else if (path == "feedback/record/row/policy_evaluated/spf") {
            record.spf_aligned = text::equals_nocase(text::trim(value), "pass");
        } else if (path == "feedback/report_metadata/date_range/begin") {
            head.begin_s = seconds();
        } else if (path == "feedback/report_metadata/date_range/end") {
            head.end_s = seconds();
        } else if (path == "feedback/report_metadata/error") {
            if (head.error.size() < limits.text) head.error = clean(head.error + " " + value, limits.text);
        }
    }

    std::int64_t seconds() {
        const auto number = text::to_int(text::trim(value));
        if (!number || *number < kEarliest || *number > kLatest) {
            stop(fmt::format("'{}' is no time of a report", text::printable(text::trim(value), 40)));
            return 0;
        }
        return *number;
    }

    void finish_record() {
        if (!counted || record.source_ip.empty()) return stop("a record without source_ip or count");
        record.disposition = text::lower(record.disposition);
        record.header_from = text::lower(record.header_from);
        if (auto status = on_record(std::move(record)); !status) stop(std::move(status).error());
        record = {};
    }

    struct Text {
        std::string_view where;
        std::function<std::string*()> target;
    };

    ParseLimits limits;
    OnRecord on_record;
    XML_Parser parser;
    std::optional<Error> stopped;
    std::string path, value, root_prefix;
    std::vector<std::size_t> lengths;
    unsigned depth = 0;
    unsigned ignored = 0;  // how deep we are in what is passed over
    std::uint64_t records = 0;
    std::int64_t fed = 0;
    bool counted = false, begun = false;
    AggregateHead head;
    AggregateRecord record;
    const std::vector<Text> texts = {
        {"feedback/record/row/source_ip", [this] { return &record.source_ip; }},
        {"feedback/record/row/policy_evaluated/disposition", [this] { return &record.disposition; }},
        {"feedback/record/row/policy_evaluated/reason/type", [this] { return &record.reasons.back().type; }},
        {"feedback/record/row/policy_evaluated/reason/comment", [this] { return &record.reasons.back().comment; }},
        {"feedback/record/identifiers/header_from", [this] { return &record.header_from; }},
        {"feedback/record/identifiers/envelope_from", [this] { return &record.envelope_from; }},
        {"feedback/record/identifiers/envelope_to", [this] { return &record.envelope_to; }},
        {"feedback/record/auth_results/dkim/domain", [this] { return &record.dkim.back().domain; }},
        {"feedback/record/auth_results/dkim/selector", [this] { return &record.dkim.back().selector; }},
        {"feedback/record/auth_results/dkim/result", [this] { return &record.dkim.back().result; }},
        {"feedback/record/auth_results/spf/domain", [this] { return &record.spf.back().domain; }},
        {"feedback/record/auth_results/spf/scope", [this] { return &record.spf.back().scope; }},
        {"feedback/record/auth_results/spf/result", [this] { return &record.spf.back().result; }},
        {"feedback/report_metadata/org_name", [this] { return &head.organization; }},
        {"feedback/report_metadata/email", [this] { return &head.email; }},
        {"feedback/report_metadata/extra_contact_info", [this] { return &head.extra_contact; }},
        {"feedback/report_metadata/report_id", [this] { return &head.report_id; }},
        {"feedback/report_metadata/generator", [this] { return &head.generator; }},
        {"feedback/policy_published/domain", [this] { return &head.domain; }},
        {"feedback/policy_published/discovery_method", [this] { return &head.discovery_method; }},
        {"feedback/policy_published/p", [this] { return &head.p; }},
        {"feedback/policy_published/sp", [this] { return &head.sp; }},
        {"feedback/policy_published/np", [this] { return &head.np; }},
        {"feedback/policy_published/adkim", [this] { return &head.adkim; }},
        {"feedback/policy_published/aspf", [this] { return &head.aspf; }},
        {"feedback/policy_published/testing", [this] { return &head.testing; }},
        {"feedback/policy_published/fo", [this] { return &head.fo; }},
    };
};

AggregateParser::AggregateParser(const ParseLimits& limits, OnRecord on_record)
    : impl_(std::make_unique<Impl>(limits, std::move(on_record))) {}
AggregateParser::~AggregateParser() = default;

Status AggregateParser::feed(std::string_view piece) {
    Impl& impl = *impl_;
    if (!impl.begun) {
        // Some reporters begin with an empty line, after which XML permits no declaration.
        while (!piece.empty() && text::is_space(piece.front())) piece.remove_prefix(1);
        if (piece.empty()) return ok();
        impl.begun = true;
    }
    if (impl.stopped) return fail(*impl.stopped);
    if (piece.size() > kMostPiece) {
        for (; !piece.empty(); piece.remove_prefix(std::min(kMostPiece, piece.size())))
            GK_CHECK(feed(piece.substr(0, kMostPiece)));
        return ok();
    }
    impl.fed += static_cast<std::int64_t>(piece.size());
    if (::XML_Parse(impl.parser, piece.data(), static_cast<int>(piece.size()), XML_FALSE) == XML_STATUS_OK) {
        if (impl.fed - ::XML_GetCurrentByteIndex(impl.parser) <= kMostToken) return ok();
        impl.stopped = Error{Errc::BadInput, "the report has a tag or comment of absurd length", 0};
    }
    if (!impl.stopped)
        impl.stopped = Error{Errc::BadInput,
                             fmt::format("not well-formed XML: line {}: {}", ::XML_GetCurrentLineNumber(impl.parser),
                                         ::XML_ErrorString(::XML_GetErrorCode(impl.parser))),
                             0};
    return fail(*impl.stopped);
}

Result<AggregateHead> AggregateParser::finish() {
    Impl& impl = *impl_;
    if (!impl.stopped && ::XML_Parse(impl.parser, "", 0, XML_TRUE) != XML_STATUS_OK && !impl.stopped)
        impl.stopped = Error{Errc::BadInput,
                             fmt::format("not well-formed XML: line {}: {}", ::XML_GetCurrentLineNumber(impl.parser),
                                         ::XML_ErrorString(::XML_GetErrorCode(impl.parser))),
                             0};
    if (impl.stopped) return fail(*impl.stopped);
    AggregateHead& head = impl.head;
    const std::pair<std::string_view, bool> wanted[] = {{"org_name", !head.organization.empty()},
                                                        {"report_id", !head.report_id.empty()},
                                                        {"begin", head.begin_s != 0},
                                                        {"end", head.end_s != 0},
                                                        {"policy_published/domain", !head.domain.empty()},
                                                        {"record", impl.records > 0}};
    for (const auto& [name, there] : wanted)
        if (!there) return fail(Errc::BadInput, fmt::format("the report lacks {}", name));
    head.domain = text::lower(head.domain);
    return std::move(head);
}

}  // namespace gk::reports
