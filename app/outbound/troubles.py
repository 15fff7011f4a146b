"""What can go wrong with a call to the outside: it is refused before it is made, or it fails."""

from app.errors import Invalid, Trouble


class CallRefused(Invalid):
    """This address may not be called from here."""


class AddressUnreadable(CallRefused):
    """This is no address that can be called."""


class SchemeRefused(CallRefused):
    """Only https is called; http only inside networks the operator allows."""


class PortRefused(CallRefused):
    """This port is not among those that may be called."""


class NetworkRefused(CallRefused):
    """The name leads, or may lead, into a network that may not be called."""


class CallFailed(Trouble):
    """The other side could not be reached, or did not answer as it should."""

    status = 502


class NameUnknown(CallFailed):
    """The name of the other side leads nowhere."""


class NotConnected(CallFailed):
    """The other side takes no connection, or broke it off."""


class CertificateRefused(CallFailed):
    """The other side did not prove by a certificate that it is who was called."""


class AnswerTooLate(CallFailed):
    """The other side did not answer in time."""


class AnswerTooLarge(CallFailed):
    """The answer of the other side is larger than what is taken."""


class AnswerUnreadable(CallFailed):
    """The answer of the other side is not HTTP, or encoded in a way that was not asked for."""


class SentElsewhere(CallFailed):
    """The other side answered with a redirect; none is followed."""
