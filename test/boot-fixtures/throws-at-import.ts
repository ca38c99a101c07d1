throw new RangeError('This module cannot be imported')
