"""Everything local, as dated and sourced YAML behind one typed loader."""

from jurisdiction.load import JurisdictionError, load_jurisdiction, read_yaml
from jurisdiction.model import Jurisdiction, Phone
from jurisdiction.places import Location

__all__ = ["Jurisdiction", "JurisdictionError", "Location", "Phone", "load_jurisdiction", "read_yaml"]
