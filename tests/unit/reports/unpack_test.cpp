// SPDX-License-Identifier: MIT
#include "tests/unit/reports/fixture.hpp"

#include <zip.h>

#include "common/base/text.hpp"

namespace gk::reports {
namespace {

Result<std::string> unpacked(std::string_view bytes, const ParseLimits& limits = {}) {
    std::string out;
    GK_CHECK(unpack(bytes, limits, [&](std::string_view piece) {
        out += piece;
        return ok();
    }));
    return out;
}

// By libzip, since what is tested is whether ours reads what others write.
std::string zipped(const std::vector<std::pair<std::string, std::string>>& members, bool encrypt = false) {
    zip_error_t error;
    ::zip_error_init(&error);
    zip_source_t* const buffer = ::zip_source_buffer_create(nullptr, 0, 0, &error);
    ::zip_source_keep(buffer);
    zip_t* const zip = ::zip_open_from_source(buffer, ZIP_TRUNCATE, &error);
    for (const auto& [name, content] : members) {
        if (name.ends_with('/')) {
            EXPECT_GE(::zip_dir_add(zip, name.c_str(), 0), 0);
            continue;
        }
        const auto index = ::zip_file_add(
            zip, name.c_str(), ::zip_source_buffer(zip, content.data(), content.size(), 0), ZIP_FL_OVERWRITE);
        EXPECT_GE(index, 0);
        if (!encrypt) continue;
        EXPECT_EQ(::zip_file_set_encryption(zip, static_cast<zip_uint64_t>(index), ZIP_EM_AES_256, "x"), 0);
    }
    EXPECT_EQ(::zip_close(zip), 0);
    EXPECT_EQ(::zip_source_open(buffer), 0);
    EXPECT_EQ(::zip_source_seek(buffer, 0, SEEK_END), 0);
    std::string out(static_cast<std::size_t>(::zip_source_tell(buffer)), '\0');
    EXPECT_EQ(::zip_source_seek(buffer, 0, SEEK_SET), 0);
    EXPECT_EQ(::zip_source_read(buffer, out.data(), out.size()), static_cast<zip_int64_t>(out.size()));
    ::zip_source_close(buffer);
    ::zip_source_free(buffer);
    return out;
}

TEST(Unpack, GzipZipAndPlainGiveTheSameReport) {
    const std::string xml = some_xml();
    EXPECT_EQ(*unpacked(xml), xml);
    EXPECT_EQ(*unpacked(gzipped(xml)), xml);
    EXPECT_EQ(*unpacked(zipped({{"b.test!a.test!1!2.xml", xml}})), xml);
    EXPECT_EQ(*unpacked(gzipped(xml) + gzipped(xml)), xml + xml);      // RFC 1952, 2.2
    EXPECT_EQ(*unpacked(gzipped(xml) + std::string(512, '\0')), xml);  // padding
}

TEST(Unpack, TheSameReportIsPackedTheSameWay) { EXPECT_EQ(gzipped(some_xml()), gzipped(some_xml())); }

TEST(Unpack, NamesInAnArchiveLeadNowhere) {
    EXPECT_EQ(*unpacked(zipped({{"../../etc/cron.d/x", "<feedback/>"}})), "<feedback/>");
    EXPECT_EQ(*unpacked(zipped({{"folder/", ""}, {"__MACOSX/._r.xml", "junk"}, {"r.xml", "<feedback/>"}})),
              "<feedback/>");
}

TEST(Unpack, AnArchiveOfManyFilesIsRefused) {
    EXPECT_NE(
        unpacked(zipped({{"a.xml", "<feedback/>"}, {"b.xml", "<feedback/>"}})).error().text.find("more than one file"),
        std::string::npos);
    std::vector<std::pair<std::string, std::string>> many;
    for (int i = 0; i < 1000; ++i) many.emplace_back(std::to_string(i), "x");
    EXPECT_EQ(unpacked(zipped(many)).error().text, "the zip archive has 1000 members; a report is one");
    EXPECT_EQ(unpacked(zipped({{"d/", ""}})).error().text, "the zip archive is empty");
    EXPECT_EQ(unpacked(zipped({{"a.xml", "<feedback/>"}}, true)).error().text, "the zip archive is encrypted");
}

TEST(Unpack, ABombEndsAtTheRatioOrTheSizeWhicheverIsFirst) {
    const std::string bomb = gzipped(std::string(200u << 20, '\0'));
    std::size_t seen = 0;
    const auto count = [&](std::string_view piece) {
        seen += piece.size();
        return ok();
    };
    const auto by_ratio = unpack(bomb, {.size = 1u << 30, .ratio = 100}, count);
    EXPECT_NE(by_ratio.error().text.find("reports.max_ratio"), std::string::npos) << by_ratio.error().text;
    EXPECT_LT(seen, 101 * bomb.size());
    seen = 0;
    const auto by_size = unpack(bomb, {.size = 4u << 20, .ratio = 1'000'000}, count);
    EXPECT_EQ(by_size.error().text, "the report is larger than 4.0 MB when unpacked (reports.max_size)");
    EXPECT_LE(seen, 4u << 20);
    seen = 0;
    const auto in_zip = unpack(zipped({{"bomb", std::string(100u << 20, '\0')}}), {.size = 4u << 20}, count);
    EXPECT_EQ(in_zip.error().code, Errc::BadInput);
    EXPECT_LE(seen, 4u << 20);
}

TEST(Unpack, WhatIsCutOffOrDamagedIsAnError) {
    const std::string gzip = gzipped(some_xml()), zip = zipped({{"r.xml", some_xml()}});
    for (std::size_t size = 2; size < gzip.size(); ++size) EXPECT_FALSE(unpacked(gzip.substr(0, size))) << size;
    for (std::size_t size = 4; size < zip.size(); size += 7) EXPECT_FALSE(unpacked(zip.substr(0, size))) << size;
    std::string flipped = gzip;
    flipped[flipped.size() - 6] ^= 1;  // in the checksum
    EXPECT_EQ(unpacked(flipped).error().text, "the gzip file is damaged");
    flipped = zip;
    flipped[60] ^= 1;
    EXPECT_FALSE(unpacked(flipped));
}

TEST(Clean, TextIsValidUtf8OfOneLineAndBounded) {
    EXPECT_EQ(clean(" a\r\nb\x7f\xff "), "a  b \xEF\xBF\xBD");
    EXPECT_EQ(clean("ääääää", 5), "ää");
    EXPECT_EQ(clean(std::string(100, '\xff'), 10).size(), 9u);
}

}  // namespace
}  // namespace gk::reports
