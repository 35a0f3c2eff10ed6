// SPDX-License-Identifier: MIT
#include "common/sieve/compose.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::sieve {
namespace {

const Stamp kStamp{.now_s = 1'800'000'000, .message_id = "<x@a.test>"};

Vacation away() {
    Vacation vacation;
    vacation.to = "bob@b.test";
    vacation.from = "ann@a.test";
    vacation.subject = "Auto: hello";
    vacation.reason = "I am away.\nBack on Monday.";
    vacation.in_reply_to = "<1@b.test>";
    vacation.references = "<0@b.test> <1@b.test>";
    return vacation;
}
std::string composed(const Vacation& vacation) { return compose(vacation, kStamp); }
std::string field(std::string_view message, std::string_view name) {
    const auto value = message::find_field(message, name);
    return value ? message::unfold(*value) : "(none)";
}

TEST(SieveCompose, AVacationResponseHasTheFieldsOfRfc5230) {
    const auto message = composed(away());
    EXPECT_EQ(field(message, "From"), "ann@a.test");
    EXPECT_EQ(field(message, "To"), "bob@b.test");
    EXPECT_EQ(field(message, "Subject"), "Auto: hello");
    EXPECT_EQ(field(message, "In-Reply-To"), "<1@b.test>");
    EXPECT_EQ(field(message, "References"), "<0@b.test> <1@b.test>");
    EXPECT_EQ(field(message, "Auto-Submitted"), "auto-replied (vacation)");
    EXPECT_EQ(field(message, "Message-ID"), "<x@a.test>");
    EXPECT_TRUE(message.ends_with("\r\n\r\nI am away.\r\nBack on Monday.\r\n"));
}

TEST(SieveCompose, NothingThatAScriptSaysBreaksOutOfItsField) {
    auto vacation = away();
    vacation.subject = "hi\r\nBcc: all@b.test\r\n\r\nbody";
    vacation.from = "\"Ann\\\" <x@y.test>, \\\"\" <ann@a.test>";
    vacation.in_reply_to = "<1@b.test>\r\nX: y";
    const auto message = composed(vacation);
    EXPECT_EQ(field(message, "Bcc"), "(none)");
    EXPECT_EQ(field(message, "X"), "(none)");
    EXPECT_EQ(field(message, "In-Reply-To"), "<1@b.test>");
    EXPECT_TRUE(field(message, "From").ends_with("<ann@a.test>")) << field(message, "From");
}

TEST(SieveCompose, TextBeyondAsciiIsSaidAsItIs) {
    auto vacation = away();
    vacation.subject = "Grüße";
    vacation.reason = "Bin verreist – bis Montag";
    vacation.from = "Änn <ann@a.test>";
    const auto message = composed(vacation);
    EXPECT_TRUE(text::is_ascii(message));
    EXPECT_EQ(field(message, "Content-Transfer-Encoding"), "quoted-printable");
    EXPECT_EQ(message::decode_text(field(message, "Subject")), "Grüße");
    EXPECT_NE(field(message, "From").find("=?UTF-8?B?"), std::string::npos);
    vacation.reason = "end";
    vacation.reason.insert(0, 2000, 'x');
    const auto longer = composed(vacation);
    EXPECT_EQ(field(longer, "Content-Transfer-Encoding"), "quoted-printable");
    for (const auto line : text::split(longer, '\n')) EXPECT_LT(line.size(), 900u);
}

TEST(SieveCompose, AMimeReasonIsTheEntityItself) {
    auto vacation = away();
    vacation.mime = true;
    vacation.reason = "Content-Type: text/html\n\n<p>away</p>";
    const auto message = composed(vacation);
    EXPECT_EQ(field(message, "Content-Type"), "text/html");
    EXPECT_TRUE(message.ends_with("\r\n\r\n<p>away</p>\r\n"));
    EXPECT_EQ(message::count_fields(message, "Content-Type"), 1u);
    vacation.reason = "Content-Type: text/html\nFrom: boss@a.test\nBcc: all@a.test\n\n<p>away</p>";
    EXPECT_EQ(field(composed(vacation), "From"), "ann@a.test");
    EXPECT_EQ(field(composed(vacation), "Bcc"), "(none)");
}

TEST(SieveCompose, OfManyReferencesTheFirstAndTheLastStay) {
    auto vacation = away();
    vacation.references = "<first@b.test>";
    for (int i = 0; i < 200; ++i) vacation.references += " <" + std::to_string(i) + "@b.test>";
    const auto references = field(composed(vacation), "References");
    EXPECT_LT(references.size(), 1000u);
    EXPECT_TRUE(references.starts_with("<first@b.test>"));
    EXPECT_TRUE(references.ends_with("<199@b.test>"));
}

TEST(SieveCompose, ANotificationNamesItsOwnerAndHidesBcc) {
    Notify notify;
    notify.to = {"phone@c.test"};
    notify.bcc = {"log@c.test"};
    notify.subject = "You have mail";
    notify.body = "from bob";
    notify.importance = 1;
    notify.auto_submitted = "auto-notified; owner-email=\"ann@a.test\"";
    notify.fields = {{"X-Where", "here"}};
    const auto message = compose(notify, "ann@a.test", kStamp);
    EXPECT_EQ(field(message, "From"), "ann@a.test");
    EXPECT_EQ(field(message, "To"), "phone@c.test");
    EXPECT_EQ(field(message, "Bcc"), "(none)");
    EXPECT_EQ(message.find("log@c.test"), std::string::npos);
    EXPECT_EQ(field(message, "Importance"), "High");
    EXPECT_EQ(field(message, "X-Where"), "here");
    EXPECT_EQ(field(message, "Auto-Submitted"), "auto-notified; owner-email=\"ann@a.test\"");
}

}  // namespace
}  // namespace gk::sieve
