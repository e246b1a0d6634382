"""placeholder"""
class Plans:
    def match(self, value): return None
    def learn(self, value, explanation): pass
